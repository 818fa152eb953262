"""Rubrics in the shapes that others read.

`points`: one JSON line a prompt, `{"prompt_id", "prompt": [message], "rubrics": [{"criterion", "points", "tags"}]}`, as
HealthBench and Rubrics-as-Rewards have them. `verifiers`: one file a prompt with a list `criteria` of `name`, `text`,
`weight` and `choices`, which the rubric judge of verifiers v1 reads.

Both grade by yes and no or a few choices, and by their own words; a score there is not the score here.
"""

import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.errors import StorageError
from autosr_lib.reward.exported import Entry, Exported, Which
from autosr_lib.storage.file_names import key_to_file_name

MOST_POINTS = 10
"""Points of a rubric's heaviest criterion; HealthBench's are whole numbers up to 10."""
CHOICES = ("not at all", "barely", "partly", "mostly", "almost fully", "fully")
"""The steps of the scale 0-5, from the worst to the best."""


class Shape(StrEnum):
    """How rubrics are written."""

    POINTS = "points"
    VERIFIERS = "verifiers"


def write_shape(exported: Exported, which: Which, shape: Shape, target: Path) -> int:
    """Write the rubrics, `points` to a file and `verifiers` to a folder, and return how many there are.

    Raises:
        StorageError: the place cannot be written.
    """
    try:
        if shape is Shape.POINTS:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("w", encoding="utf-8") as out:
                for entry in exported.entries.values():
                    out.write(json.dumps(points_entry(entry, which), ensure_ascii=False) + "\n")
        else:
            target.mkdir(parents=True, exist_ok=True)
            for entry in exported.entries.values():
                content = json.dumps({"criteria": list(verifiers_criteria(entry.chosen(which)))}, ensure_ascii=False)
                (target / f"{key_to_file_name(entry.prompt_id)}.json").write_text(content + "\n", encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{target}: cannot be written: {error.strerror or error}") from error
    return len(exported.entries)


def points_entry(entry: Entry, which: Which) -> dict[str, Any]:
    """Return a prompt and its rubric in points: whole ones, the heaviest criterion 10, the lightest at least 1."""
    rubric = entry.chosen(which)
    heaviest = max(rubric.weights)
    return {
        "prompt_id": entry.prompt_id,
        "prompt": [{"role": "user", "content": entry.prompt}],
        "rubrics": [
            {
                "criterion": whole_text(criterion),
                "points": max(1, round(MOST_POINTS * weight / heaviest)),
                "tags": [f"type:{criterion.criterion_type}", f"weight:{weight:.6f}"],
            }
            for criterion, weight in zip(rubric.criteria, rubric.weights, strict=True)
        ],
    }


def verifiers_criteria(rubric: Rubric) -> Iterator[dict[str, Any]]:
    """Yield a rubric's criteria as the rubric judge of verifiers v1 takes them."""
    for criterion, weight in zip(rubric.criteria, rubric.weights, strict=True):
        yield {
            "name": criterion.criterion_id,
            "text": whole_text(criterion),
            "weight": weight,
            "choices": list(CHOICES),
        }


def whole_text(criterion: Criterion) -> str:
    """Return all that a criterion says, its check points and examples too, in one text."""
    parts = [criterion.text]
    for name, lines in (
        ("Check", criterion.check_points),
        ("Good", criterion.positive_examples),
        ("Bad", criterion.negative_examples),
    ):
        parts += [f"{name}: {line}" for line in lines]
    return "\n".join(parts)

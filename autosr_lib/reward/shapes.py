"""Rubrics in the file formats of other graders.

`points`: one JSON line per prompt, `{"prompt_id", "prompt": [message], "rubrics": [{"criterion", "points", "tags"}]}`,
as in HealthBench and Rubrics as Rewards. `verifiers`: one file per prompt with a list `criteria` of `name`, `text`,
`weight` and `choices`, which the rubric judge of verifiers v1 reads.

These graders use their own prompts and answer with yes and no or a few choices, so their scores differ from those of
`autosr score`.
"""

import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.errors import StorageError
from autosr_lib.reward.search_export import ExportEntry, RubricChoice, SearchExport
from autosr_lib.storage.file_names import key_to_file_name

MAX_POINTS = 10
"""Points of the heaviest criterion of a rubric; HealthBench uses integers up to 10."""
CHOICES = ("not at all", "barely", "partly", "mostly", "almost fully", "fully")
"""The steps of the scale 0-5, from worst to best."""


class Shape(StrEnum):
    """A file format for rubrics."""

    POINTS = "points"
    VERIFIERS = "verifiers"


def write_shape(export: SearchExport, choice: RubricChoice, shape: Shape, target: Path) -> int:
    """Write the rubrics of an export and return their number; `points` writes one file, `verifiers` a folder.

    Raises:
        StorageError: the target cannot be written.
    """
    try:
        if shape is Shape.POINTS:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("w", encoding="utf-8") as out:
                for entry in export.entries.values():
                    out.write(json.dumps(points_entry(entry, choice), ensure_ascii=False) + "\n")
        else:
            target.mkdir(parents=True, exist_ok=True)
            for entry in export.entries.values():
                content = json.dumps({"criteria": list(verifiers_criteria(entry.choose(choice)))}, ensure_ascii=False)
                (target / f"{key_to_file_name(entry.prompt_id)}.json").write_text(content + "\n", encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{target}: cannot be written: {error.strerror or error}") from error
    return len(export.entries)


def points_entry(entry: ExportEntry, choice: RubricChoice) -> dict[str, Any]:
    """Return a prompt and its rubric in points: integers, 10 for the heaviest criterion and at least 1 for each."""
    rubric = entry.choose(choice)
    max_weight = max(rubric.weights)
    return {
        "prompt_id": entry.prompt_id,
        "prompt": [{"role": "user", "content": entry.prompt}],
        "rubrics": [
            {
                "criterion": criterion_text(criterion),
                "points": max(1, round(MAX_POINTS * weight / max_weight)),
                "tags": [f"type:{criterion.criterion_type}", f"weight:{weight:.6f}"],
            }
            for criterion, weight in zip(rubric.criteria, rubric.weights, strict=True)
        ],
    }


def verifiers_criteria(rubric: Rubric) -> Iterator[dict[str, Any]]:
    """Yield the criteria of a rubric in the format of the rubric judge of verifiers v1.

    >>> rubric = Rubric(criteria=(Criterion(criterion_id="a", text="Is clear."),))
    >>> [(criterion["name"], criterion["weight"]) for criterion in verifiers_criteria(rubric)]
    [('a', 1.0)]
    """
    for criterion, weight in zip(rubric.criteria, rubric.weights, strict=True):
        yield {
            "name": criterion.criterion_id,
            "text": criterion_text(criterion),
            "weight": weight,
            "choices": list(CHOICES),
        }


def criterion_text(criterion: Criterion) -> str:
    """Return a criterion with its check points and examples as one text.

    >>> print(criterion_text(Criterion(criterion_id="a", text="Is clear.", check_points=("Uses short words.",))))
    Is clear.
    Check: Uses short words.
    """
    parts = [criterion.text]
    for label, lines in (
        ("Check", criterion.check_points),
        ("Good", criterion.positive_examples),
        ("Bad", criterion.negative_examples),
    ):
        parts += [f"{label}: {line}" for line in lines]
    return "\n".join(parts)

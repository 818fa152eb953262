"""One prompt in the report: first and best rubric side by side, how the one became the other, and its candidates."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from autosr_assets.views.lineage import lineage_tree
from autosr_assets.views.metadata import heaviest_first
from autosr_lib.domain.prompt import Candidate, Prompt
from autosr_lib.evaluation.holdout import OWN_FIGURE
from autosr_lib.results.soundness import gamed_fault
from autosr_lib.storage.rows import Row

LONGEST_TEXT = 4000
"""Characters of a text that are shown."""
MOVED = 0.005
"""Change of a weight from which on it is told."""


def prompt_section(row: Row, prompt: Prompt, anchor: str) -> dict[str, Any]:
    """Return what the report tells of a prompt."""
    first, best = row["initial_rubric"], row["rubric"]
    return {
        "anchor": anchor,
        "prompt_id": row["prompt_id"],
        "prompt": shown(prompt.prompt),
        "initial": f"{row['initial']['objective']:.3f}",
        "best": f"{row['best']['objective']:.3f}",
        "stopped": f"stopped by {row['stopped']} after {row['generations']} generations",
        "status": row["status"],
        "first_rubric": _compared(first, best, is_first=True),
        "best_rubric": _compared(best, first, is_first=False),
        "steps": _steps(row["lineage"]),
        "own_figure": _own_figure(row),
        "gamed": gamed_fault(row) or "",
        "candidates": _candidates(row, prompt),
    }


def shown(text: str) -> str:
    """Return a text, cut off where it is long."""
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]} … ({len(text):,} characters in all)"


def _compared(rubric: Sequence[Row], other: Sequence[Row], *, is_first: bool) -> list[dict[str, str]]:
    """Return the criteria of a rubric, the heaviest first, each with what the other rubric makes of it."""
    weights = {one["criterion_key"]: one["weight"] for one in other}
    rows = []
    for one in heaviest_first(rubric):
        before, kind, change = weights.get(one["criterion_key"]), "", ""
        if before is None:
            kind, change = ("gone", "dropped") if is_first else ("new", "new")
        elif not is_first and abs(one["weight"] - before) >= MOVED:
            kind, change = "moved", f"was {before:.0%}"
        measure = one["measure"] if one["measure"] and one["measure"] not in one["text"] else ""
        rows.append(
            {"weight": f"{one['weight']:.0%}", "text": one["text"], "measure": measure, "kind": kind, "change": change}
        )
    return rows


def _steps(ancestors: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the lineage in the order of its making."""
    told, queue = [], lineage_tree(ancestors)
    while queue:
        step = queue.pop(0)
        told.append((step.generation, step.text))
        queue += step.children
    return [text for _, text in sorted(told, key=lambda one: one[0])]


def _own_figure(row: Row) -> str:
    """Return the prompt's own held-out figure where it has pairs enough to say anything (docs/method.md §5)."""
    pairs = row["holdout_pairs"]
    if len(row["candidate_scores"]) < OWN_FIGURE or not pairs:
        return ""
    first, best, alone = (row[name] / pairs for name in ("holdout_initial", "holdout_best", "holdout_remembered"))
    unseen = f"Of {row['unseen_pairs']} unseen pairs {row['unseen_initial']:g} → {row['unseen_best']:g} in order. "
    return (
        f"{unseen if row['unseen_pairs'] else ''}Of {pairs} pairs that touch a hidden candidate {first:.0%} → {best:.0%}"
        f"; visible labels alone {alone:.0%}. So few pairs say little about one prompt."
    )


def _candidates(row: Row, prompt: Prompt) -> list[dict[str, str]]:
    known = {one.candidate_id: one for one in prompt.candidates}
    told = []
    for one in sorted(row["candidate_scores"], key=lambda one: -(-1 if one["score"] is None else one["score"])):
        candidate = known.get(one["candidate_id"])
        facts = [] if candidate is None else [candidate.source, _label(candidate)]
        told.append(
            {
                "score": "unscored" if one["score"] is None else f"{one['score']:.3f}",
                "name": one["candidate_id"],
                "text": "" if candidate is None else shown(candidate.text),
                "facts": ", ".join(fact for fact in [*facts, "held out" if one["is_hidden"] else ""] if fact),
            }
        )
    return told


def _label(candidate: Candidate) -> str:
    metadata = candidate.metadata
    told = (f"{name} {metadata[name]:g}" for name in ("rank", "quality") if _is_number(metadata.get(name)))
    return next(told, "")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

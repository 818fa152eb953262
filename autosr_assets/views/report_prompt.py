"""The section of a prompt in the report: the first and the best rubric, the steps between them, and the candidates."""

from collections.abc import Iterable
from typing import Any

from autosr_assets.views.lineage import lineage_tree
from autosr_assets.views.rubric_text import best_scores_first, heaviest_first, score_text, shown_measure
from autosr_lib.domain.prompt import Candidate, Prompt
from autosr_lib.domain.wording import plural
from autosr_lib.evaluation.holdout import MIN_CANDIDATES_FOR_OWN_FIGURE
from autosr_lib.results.soundness import gamed_fault
from autosr_lib.search.population import Ancestor
from autosr_lib.storage.tables.best_rubrics import BestRubricRow
from autosr_lib.storage.tables.structs import RubricRows

MAX_CHARACTERS = 4000
"""Maximum number of characters of a text."""
MIN_WEIGHT_CHANGE = 0.005
"""Smallest change of a weight that is shown."""


def prompt_section(row: BestRubricRow, prompt: Prompt, anchor: str) -> dict[str, Any]:
    """Return the values of a prompt's section by their names in the template."""
    first, best = row.initial_rubric, row.rubric
    return {
        "anchor": anchor,
        "prompt_id": row.prompt_id,
        "prompt": shorten(prompt.prompt),
        "initial": f"{row.initial.objective:.3f}",
        "best": f"{row.best.objective:.3f}",
        "stopped": f"stopped by {row.stopped} after {plural(row.generations, 'generation')}",
        "status": row.status,
        "first_rubric": _compared(first, best, is_first=True),
        "best_rubric": _compared(best, first, is_first=False),
        "steps": _steps(row.lineage),
        "own_figure": _own_figure(row),
        "gamed": gamed_fault(row) or "",
        "candidates": _candidates(row, prompt),
    }


def shorten(text: str) -> str:
    """Return a text with at most `MAX_CHARACTERS` characters, and its length if it is longer.

    >>> shorten("x" * 5000)[-27:]
    '… (5,000 characters in all)'
    """
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]} … ({len(text):,} characters in all)"


def _compared(rubric: RubricRows, other_rubric: RubricRows, *, is_first: bool) -> list[dict[str, str]]:
    """Return the criteria of a rubric, heaviest first, each with its difference from the other rubric."""
    other_weights = {criterion.criterion_key: criterion.weight for criterion in other_rubric}
    rows = []
    for criterion in heaviest_first(rubric):
        other_weight, kind, change = other_weights.get(criterion.criterion_key), "", ""
        if other_weight is None:
            kind, change = ("gone", "dropped") if is_first else ("new", "new")
        elif not is_first and abs(criterion.weight - other_weight) >= MIN_WEIGHT_CHANGE:
            kind, change = "moved", f"was {other_weight:.0%}"
        rows.append(
            {
                "weight": f"{criterion.weight:.0%}",
                "text": criterion.text,
                "measure": shown_measure(criterion),
                "kind": kind,
                "change": change,
            }
        )
    return rows


def _steps(ancestors: Iterable[Ancestor]) -> list[str]:
    """Return the steps of the lineage as text, in order of generation."""
    steps, queue = [], lineage_tree(ancestors)
    while queue:
        step = queue.pop(0)
        steps.append(step)
        queue += step.children
    return [step.text for step in sorted(steps, key=lambda step: step.generation)]


def _own_figure(row: BestRubricRow) -> str:
    """Return the held-out figures of the prompt; empty if it has too few candidates (docs/method.md §5)."""
    touching, unseen = row.holdout.touching, row.holdout.unseen
    if len(row.candidate_scores) < MIN_CANDIDATES_FOR_OWN_FIGURE or not touching.pairs:
        return ""
    first, best, labels_alone = (
        credit / touching.pairs for credit in (touching.initial, touching.best, row.holdout.remembered)
    )
    of_unseen = f"Of {plural(unseen.pairs, 'unseen pair')} {unseen.initial:g} → {unseen.best:g} in order. "
    return (
        f"{of_unseen if unseen.pairs else ''}Of {plural(touching.pairs, 'pair')} with a hidden candidate "
        f"{first:.0%} → {best:.0%}; visible labels alone {labels_alone:.0%}. "
        "So few pairs say little about a single prompt."
    )


def _candidates(row: BestRubricRow, prompt: Prompt) -> list[dict[str, str]]:
    """Return the candidates with their scores under the best rubric, best first."""
    candidates = {candidate.candidate_id: candidate for candidate in prompt.candidates}
    rows = []
    for score in best_scores_first(row.candidate_scores):
        candidate = candidates.get(score.candidate_id)
        facts = [] if candidate is None else [candidate.source, _label(candidate)]
        rows.append(
            {
                "score": score_text(score.score),
                "name": score.candidate_id,
                "text": "" if candidate is None else shorten(candidate.text),
                "facts": ", ".join(fact for fact in [*facts, "held out" if score.is_hidden else ""] if fact),
            }
        )
    return rows


def _label(candidate: Candidate) -> str:
    """Return the label of a candidate with its name, such as `rank 2`; empty without a label."""
    metadata = candidate.metadata
    labels = (f"{name} {metadata[name]:g}" for name in ("rank", "quality") if _is_number(metadata.get(name)))
    return next(labels, "")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

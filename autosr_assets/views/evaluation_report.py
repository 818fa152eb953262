"""What `autosr eval` shows: tables in the terminal, and the same as one HTML file."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autosr_assets.views.pages import page_template
from autosr_lib.errors import StorageError
from autosr_lib.reward.labelled import Accuracy, CriterionFigures, Evaluated, Seen

SHOWN = 40
"""Criteria that are shown, the ones that order their pairs worst first; JSON has them all."""
SAYS = {
    Seen.NEITHER: "unseen: the search saw neither candidate",
    Seen.ONE: "half seen: it saw one of the two",
    Seen.BOTH: "seen: it saw both, and may only remember",
}
HEADS = (
    "pairs of",
    "prompts",
    "pairs",
    "pair accuracy (a tie is half)",
    "tail pairs",
    "tail accuracy (a tie is wrong)",
)
CRITERIA_HEADS = ("prompt", "criterion", "weight", "coverage", "discrimination", "votes agree", "redundancy")
FIGURES = frozenset({"prompts", "pairs", "tail pairs", *CRITERIA_HEADS[2:]})
"""Columns of bare numbers, which stand at the right."""


def evaluation_view(found: Evaluated) -> RenderableType:
    """Return the tables of an evaluation."""
    whole = _table(HEADS)
    for row in accuracy_rows(found.by_seen):
        whole.add_row(*row)
    parts: list[RenderableType] = [whole]
    if found.by_source:
        sources = _table(("source", *HEADS))
        for source, accuracies in found.by_source.items():
            for row in accuracy_rows(accuracies):
                sources.add_row(source, *row)
        parts += [Text("\nby source"), sources]
    criteria = _table(CRITERIA_HEADS)
    for row in criterion_rows(found.criteria):
        criteria.add_row(*row)
    parts += [
        Text(f"\ncriteria, the weakest first ({min(SHOWN, len(found.criteria))} of {len(found.criteria)})"),
        criteria,
    ]
    return Group(*parts, *(Text(note, style="dim") for note in (*remembered(found), *notes(found))))


def accuracy_rows(accuracies: Mapping[str, Accuracy]) -> Iterator[tuple[str, ...]]:
    """Yield a row for what the search saw neither, one and both of; never one for all together."""
    for seen, one in accuracies.items():
        tail = "none" if one.tail_accuracy is None else str(one.tail_accuracy)
        yield SAYS[Seen(seen)], str(one.prompts), str(one.pairs), str(one.pair_accuracy), str(one.tail_pairs), tail


def criterion_rows(criteria: Iterable[CriterionFigures]) -> Iterator[tuple[str, ...]]:
    """Yield a row a criterion, the one that orders its pairs worst first."""
    ordered = sorted(criteria, key=lambda one: (one.discrimination is None, one.discrimination or 0.0))
    for one in ordered[:SHOWN]:
        figures = (_share(one.weight), _share(one.coverage), _share(one.discrimination), _share(one.agreement))
        redundancy = "–" if one.redundancy is None else f"{one.redundancy:.2f}"
        yield one.prompt_id, one.text, *figures, redundancy


def remembered(found: Evaluated) -> Iterator[str]:
    """Yield what has to be said where the search saw something of every pair."""
    if Seen.NEITHER not in found.by_seen:
        yield "no pair is unseen: nothing here says how the rubrics do on responses that the search did not see"
        if found.which == "rubric":
            yield "the weights of `rubric` are fitted on the hidden candidates too; --which measured_rubric has not seen them"


def notes(found: Evaluated) -> Iterator[str]:
    """Yield what has to be said beside the figures."""
    yield f"{found.responses} responses, {found.unscored} of them unscored; rubric: {found.which}; 95% intervals over prompts"
    if found.skew is not None:
        yield f"otherwise than in the search: {found.skew}"
    for names, lack in ((found.without_rubric, "rubric"), (found.without_labels, "labels")):
        if names:
            yield f"{len(names)} prompts without {lack} are left out: {', '.join(names[:5])}{' …' if len(names) > 5 else ''}"


def write_html(path: Path, found: Evaluated, *, rubrics: str, dataset: str) -> None:
    """Write the same as one HTML file that needs no network.

    Raises:
        StorageError: it cannot be written.
    """
    html = page_template("evaluation.html.j2").render(
        rubrics=rubrics,
        dataset=dataset,
        heads=HEADS,
        rows=list(accuracy_rows(found.by_seen)),
        sources=[(source, list(accuracy_rows(one))) for source, one in found.by_source.items()],
        criteria_heads=CRITERIA_HEADS,
        criteria=list(criterion_rows(found.criteria)),
        total=len(found.criteria),
        figures=FIGURES,
        remembered="; ".join(remembered(found)),
        notes=list(notes(found)),
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(html, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from error


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _table(heads: Iterable[str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for head in heads:
        table.add_column(head, overflow="fold")
    return table

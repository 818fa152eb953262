"""The figures of an evaluation on labelled responses, as tables in the terminal and as an HTML file."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autosr_assets.views.pages import page_template
from autosr_lib.domain.wording import plural
from autosr_lib.errors import StorageError
from autosr_lib.results.labelled import Accuracy, CriterionFigures, LabelledEvaluation, Seen

MAX_CRITERIA = 40
"""Maximum number of criteria that are shown, lowest discrimination first; the JSON contains all."""
MAX_IDS = 5
"""Maximum number of prompt ids in a note."""
GROUP_LABELS = {
    Seen.NEITHER: "unseen: the search saw neither candidate",
    Seen.ONE: "half seen: it saw one of the two",
    Seen.BOTH: "seen: it saw both, and may only remember",
}
ACCURACY_COLUMNS = (
    "pairs of",
    "prompts",
    "pairs",
    "pair accuracy (a tie is half)",
    "tail pairs",
    "tail accuracy (a tie is wrong)",
)
CRITERIA_COLUMNS = ("prompt", "criterion", "weight", "coverage", "discrimination", "votes agree", "redundancy")
NUMBER_COLUMNS = frozenset({"prompts", "pairs", "tail pairs", *CRITERIA_COLUMNS[2:]})
"""Columns that are aligned to the right."""


def evaluation_view(evaluation: LabelledEvaluation) -> RenderableType:
    """Return the tables of an evaluation for the terminal."""
    parts: list[RenderableType] = [_table(ACCURACY_COLUMNS, accuracy_rows(evaluation.by_seen))]
    if evaluation.by_source:
        rows = (
            (source, *row) for source, accuracies in evaluation.by_source.items() for row in accuracy_rows(accuracies)
        )
        parts += [Text("\nby source"), _table(("source", *ACCURACY_COLUMNS), rows)]
    total = len(evaluation.criteria)
    parts += [
        Text(f"\ncriteria, the weakest first ({min(MAX_CRITERIA, total)} of {total})"),
        _table(CRITERIA_COLUMNS, criterion_rows(evaluation.criteria)),
    ]
    parts += [Text(note, style="dim") for note in (*memory_notes(evaluation), *notes(evaluation))]
    return Group(*parts)


def accuracy_rows(accuracies: Mapping[str, Accuracy]) -> Iterator[tuple[str, ...]]:
    """Yield the cells of `ACCURACY_COLUMNS` for each group of pairs, without a row for all pairs."""
    for group, accuracy in accuracies.items():
        tail = "none" if accuracy.tail_accuracy is None else str(accuracy.tail_accuracy)
        counts = str(accuracy.prompts), str(accuracy.pairs), str(accuracy.pair_accuracy), str(accuracy.tail_pairs)
        yield GROUP_LABELS[Seen(group)], *counts, tail


def criterion_rows(criteria: Iterable[CriterionFigures]) -> Iterator[tuple[str, ...]]:
    """Yield the cells of `CRITERIA_COLUMNS` for the criteria with the lowest discrimination."""
    ordered = sorted(criteria, key=lambda figures: (figures.discrimination is None, figures.discrimination or 0.0))
    for figures in ordered[:MAX_CRITERIA]:
        shares = figures.weight, figures.coverage, figures.discrimination, figures.agreement
        redundancy = "–" if figures.redundancy is None else f"{figures.redundancy:.2f}"
        yield figures.prompt_id, figures.text, *map(_percentage, shares), redundancy


def memory_notes(evaluation: LabelledEvaluation) -> Iterator[str]:
    """Yield notes for an evaluation without unseen pairs."""
    if Seen.NEITHER not in evaluation.by_seen:
        yield "no pair is unseen: the figures do not show how accurate the rubrics are on responses new to the search"
        if evaluation.which == "rubric":
            yield "the weights of `rubric` are fitted on the hidden candidates too; those of --which measured_rubric are not"


def notes(evaluation: LabelledEvaluation) -> Iterator[str]:
    """Yield notes on the graded responses, differences from the search, and prompts that were left out."""
    yield (
        f"{plural(evaluation.responses, 'response')}, {evaluation.unscored} unscored; "
        f"rubric: {evaluation.which}; 95% intervals over prompts"
    )
    if evaluation.skew is not None:
        yield f"different from the search: {evaluation.skew}"
    for prompt_ids, missing in ((evaluation.without_rubric, "rubric"), (evaluation.without_labels, "labels")):
        if prompt_ids:
            named = ", ".join(prompt_ids[:MAX_IDS]) + (" …" if len(prompt_ids) > MAX_IDS else "")
            verb = "is" if len(prompt_ids) == 1 else "are"
            yield f"{plural(len(prompt_ids), 'prompt')} without {missing} {verb} left out: {named}"


def write_html(path: Path, evaluation: LabelledEvaluation, *, rubrics: str, dataset: str) -> None:
    """Write an evaluation as an HTML file without scripts and network access.

    Args:
        path: the file to write.
        evaluation: the figures.
        rubrics: the path of the export, for the heading.
        dataset: the path of the dataset, for the heading.

    Raises:
        StorageError: the file cannot be written.
    """
    html = page_template("evaluation.html.j2").render(
        rubrics=rubrics,
        dataset=dataset,
        accuracy_columns=ACCURACY_COLUMNS,
        accuracies=list(accuracy_rows(evaluation.by_seen)),
        sources=[(source, list(accuracy_rows(by_seen))) for source, by_seen in evaluation.by_source.items()],
        criteria_columns=CRITERIA_COLUMNS,
        criteria=list(criterion_rows(evaluation.criteria)),
        total_criteria=len(evaluation.criteria),
        number_columns=NUMBER_COLUMNS,
        memory_notes="; ".join(memory_notes(evaluation)),
        notes=list(notes(evaluation)),
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(html, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from error


def _percentage(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def _table(columns: Iterable[str], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table

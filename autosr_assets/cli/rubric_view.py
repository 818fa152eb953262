"""A prompt's best rubric as text, with the scores of the candidates and its lineage; or why there is none."""

from collections.abc import Iterable, Mapping

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from autosr_assets.cli.tables import headed_table
from autosr_assets.views.lineage import Step, lineage_tree
from autosr_assets.views.rubric_text import best_scores_first, heaviest_first, score_text, shown_measure
from autosr_lib.domain.wording import plural
from autosr_lib.storage.tables.best_rubrics import BestRubricRow, CandidateScore
from autosr_lib.storage.tables.structs import RubricRows

MAX_FAILURES = 20
"""Maximum number of failed prompts that are printed; the others are counted."""


def best_view(row: BestRubricRow, *, show_lineage: bool = False) -> RenderableType:
    """Return a prompt's best rubric and its candidates' scores, and, with `show_lineage`, the rubric's lineage."""
    head = Text.from_markup(f"[bold]{escape(row.prompt_id)}[/]")
    head.append(
        f"  objective {row.initial.objective:.3f} → {row.best.objective:.3f}, "
        f"{plural(row.generations, 'generation')}, stopped by {row.stopped}"
        + ("" if row.is_complete else f", {row.status}")
    )
    parts: list[RenderableType] = [head, _rubric_table(row.rubric), _score_table(row.candidate_scores)]
    if show_lineage:
        parts.append(Text("\nlineage"))
        parts.append(_lineage_view(lineage_tree(row.lineage)))
    return Group(*parts)


def failures_view(failed: Mapping[str, str]) -> RenderableType:
    """Return the errors of the failed prompts, one prompt per line.

    Args:
        failed: error messages by prompt id.
    """
    lines = [
        f"  {escape(prompt_id)}: {escape(' '.join(error.split()))}"
        for prompt_id, error in list(failed.items())[:MAX_FAILURES]
    ]
    more = [f"  and {len(failed) - MAX_FAILURES} more"] if len(failed) > MAX_FAILURES else []
    return Text.from_markup("\n".join([f"[bold red]{plural(len(failed), 'prompt')} failed[/]", *lines, *more]))


def _rubric_table(criteria: RubricRows) -> Table:
    """Return a rubric as a table, the heaviest criterion first."""
    table = headed_table()
    table.add_column("weight", justify="right")
    table.add_column("criterion", overflow="fold")
    for criterion in heaviest_first(criteria):
        text = Text(criterion.text)
        if measure := shown_measure(criterion):
            text.append(f" ({measure})", style="dim")
        table.add_row(f"{criterion.weight:.0%}", text)
    return table


def _score_table(scores: Iterable[CandidateScore]) -> Table:
    """Return every candidate's score as a table, the best first."""
    table = headed_table()
    table.add_column("score", justify="right")
    table.add_column("candidate", overflow="fold")
    table.add_column("", style="dim")
    for score in best_scores_first(scores):
        hidden = "held out" if score.is_hidden else ""
        table.add_row(score_text(score.score), escape(score.candidate_id), hidden)
    return table


def _lineage_view(steps: Iterable[Step]) -> Tree:
    """Return a lineage as a tree."""
    tree = Tree("", hide_root=True)

    def add(branch: Tree, children: Iterable[Step]) -> None:
        for child in children:
            add(branch.add(escape(child.text)), child.children)

    add(tree, steps)
    return tree

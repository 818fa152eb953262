"""Rubrics, scores and lineages as text, for metadata, the report and the command line."""

from collections.abc import Iterable, Iterator

from autosr_assets.views.lineage import Step, lineage_tree
from autosr_lib.search.population import Ancestor
from autosr_lib.storage.tables.best_rubrics import CandidateScore
from autosr_lib.storage.tables.structs import CriterionRow


def heaviest_first(criteria: Iterable[CriterionRow]) -> list[CriterionRow]:
    """Return the criteria sorted by weight, heaviest first."""
    return sorted(criteria, key=lambda criterion: -criterion.weight)


def best_scores_first(scores: Iterable[CandidateScore]) -> list[CandidateScore]:
    """Return candidates sorted by score, the best first and the unscored last.

    >>> from autosr_lib.storage.tables.best_rubrics import CandidateScore
    >>> scores = [CandidateScore("a", None, False), CandidateScore("b", 0.5, False), CandidateScore("c", 0.75, True)]
    >>> [score.candidate_id for score in best_scores_first(scores)]
    ['c', 'b', 'a']
    """
    return sorted(scores, key=lambda score: -(-1 if score.score is None else score.score))


def score_text(score: float | None) -> str:
    """Return a score as text.

    >>> score_text(0.75), score_text(None)
    ('0.750', 'unscored')
    """
    return "unscored" if score is None else f"{score:.3f}"


def criterion_text(criterion: CriterionRow) -> str:
    """Return the text of a criterion, followed by its measure unless the text contains it.

    >>> from autosr_lib.domain.rubric import Criterion
    >>> criterion_text(CriterionRow.of(Criterion(criterion_id="l", text="It is long.", measure="min_words(9)"), 1.0))
    'It is long. (min_words(9))'
    """
    measure = shown_measure(criterion)
    return f"{criterion.text} ({measure})" if measure else criterion.text


def shown_measure(criterion: CriterionRow) -> str:
    """Return the measure of a criterion; empty if it has none or its text contains the measure."""
    measure = criterion.measure or ""
    return "" if measure in criterion.text else measure


def rubric_markdown(criteria: Iterable[CriterionRow]) -> str:
    """Return a rubric as a table in markdown, heaviest criterion first.

    >>> from autosr_lib.domain.rubric import Criterion
    >>> print(rubric_markdown([CriterionRow.of(Criterion(criterion_id="c", text="Clear."), 1.0)]))
    | weight | criterion |
    |---:|---|
    | 100% | Clear. |
    """
    lines = [
        f"| {criterion.weight:.0%} | {cell(criterion_text(criterion))} |" for criterion in heaviest_first(criteria)
    ]
    return "\n".join(["| weight | criterion |", "|---:|---|", *lines])


def lineage_markdown(ancestors: Iterable[Ancestor]) -> str:
    """Return a lineage as nested lists in markdown, each rubric below its parent.

    >>> first = Ancestor("a1b2", "initial", 0, (), 0.5, None, {})
    >>> second = Ancestor("c3d4", "refine", 1, ("a1b2",), 0.75, 0.25, {})
    >>> print(lineage_markdown([first, second]))
    - initial in generation 0: objective 0.500, 0 criteria (a1b2)
      - refine in generation 1: objective 0.750, +0.250, 0 criteria (c3d4)
    """

    def lines(steps: Iterable[Step], depth: int) -> Iterator[str]:
        for step in steps:
            yield f"{'  ' * depth}- {step.text}"
            yield from lines(step.children, depth + 1)

    return "\n".join(lines(lineage_tree(ancestors), 0))


def cell(text: str, width: int = 1000) -> str:
    r"""Return a text as a cell of a markdown table: without markup, and with at most `width` characters.

    >>> print(cell("a | <b>"))
    a \| &lt;b>
    """
    plain = " ".join(text.split())
    plain = plain if len(plain) <= width else plain[: width - 1] + "…"
    return plain.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`")

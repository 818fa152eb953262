"""Rubrics put to work: the export of a search grades new responses, as the search graded its candidates.

from autosr_lib.reward import Rubrics

rubrics = Rubrics.load("data/exports/my.json")
async with rubrics:
    scored = await rubrics.score("p1", "A new response.")
    print(scored.score, scored.ungraded, [(one.text, one.grade, one.reasons) for one in scored.grades])

`rubrics.blocking()` does the same for code that is not asynchronous. `trl`, `verl` and `verifiers` beside this file
are reward functions in the shapes of trainers, `server` is the HTTP server.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autosr_lib.reward.rubrics import Rubrics
    from autosr_lib.reward.scored import CriterionGrade, Scored

__all__ = ["CriterionGrade", "Rubrics", "Scored"]


def __getattr__(name: str) -> Any:
    # The command line imports this package to list its commands: what is slow to import waits until it is used.
    if name == "Rubrics":
        from autosr_lib.reward.rubrics import Rubrics  # noqa: PLC0415

        return Rubrics
    if name in {"CriterionGrade", "Scored"}:
        from autosr_lib.reward import scored  # noqa: PLC0415

        return getattr(scored, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

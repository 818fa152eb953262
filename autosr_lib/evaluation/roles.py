"""The roles of evaluation: the verifier grades, the judge compares, the responder writes missing candidates.

A request contains only what a model may see (docs/method.md §6), and `prompt_id`, which identifies the request in the
records of calls and is never sent to a model.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from autosr_lib.domain.preference import Verdict
from autosr_lib.domain.rubric import Criterion


class Grade(NamedTuple):
    """A verifier's grade: `value` in 0..1, or None for "not applicable"."""

    value: float | None
    reason: str = ""


class GradeRequest(NamedTuple):
    """A candidate to grade by some criteria, for one vote (0, 1, …)."""

    prompt_id: str
    prompt_text: str
    candidate_text: str
    criteria: tuple[Criterion, ...]
    vote: int


class Verifier(Protocol):
    """Grades a candidate by some criteria."""

    async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
        """Return grades by criterion key; a criterion of the request without a grade is *ungraded*.

        Raises:
            ReplyError: the reply cannot be read; all criteria of the request are ungraded.
            EndpointError: the endpoint does not answer; the run ends.
        """


class RespondRequest(NamedTuple):
    """A prompt to be answered by one model of the pool, for one sample (0, 1, …)."""

    prompt_id: str
    prompt_text: str
    model: str
    sample: int


class Responder(Protocol):
    """Answers a prompt without seeing any rubric."""

    async def respond(self, request: RespondRequest) -> str:
        """Return a response.

        Raises:
            ReplyError: the reply contains no response; the sample gives no candidate.
            EndpointError: the endpoint does not answer; the run ends.
        """


class JudgeRequest(NamedTuple):
    """Two candidates to compare, in the order in which the judge sees them."""

    prompt_id: str
    prompt_text: str
    first_text: str
    second_text: str


class Judge(Protocol):
    """Decides which of two candidates is better, without a rubric."""

    async def prefer(self, request: JudgeRequest) -> Verdict:
        """Return which of the two is better, or a tie.

        Raises:
            ReplyError: the reply cannot be read; the pair stays unjudged.
            EndpointError: the endpoint does not answer; the run ends.
        """

"""The roles that evaluation asks: a verifier, a judge and, where candidates are missing, a responder.

A request carries what a model may see (docs/method.md §6) and `prompt_id`, which names the request in the record of calls and
is never shown.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from autosr_lib.domain.preference import Verdict
from autosr_lib.domain.rubric import Criterion


class Grade(NamedTuple):
    """A verifier's mark: `value` in 0..1, or None for "not applicable"."""

    value: float | None
    reason: str = ""


class GradeRequest(NamedTuple):
    """One candidate to be graded by some criteria, for one vote (0, 1, …)."""

    prompt_id: str
    prompt_text: str
    candidate_text: str
    criteria: tuple[Criterion, ...]
    vote: int


class Verifier(Protocol):
    """Grades one candidate by some criteria."""

    async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
        """Return a grade by criterion key; a criterion that is left out is *ungraded*.

        Raises:
            ReplyError: nothing in the reply can be read; every criterion asked is ungraded.
            EndpointError: the endpoint will not answer; the run ends.
        """


class RespondRequest(NamedTuple):
    """A prompt to be answered by one model of a pool; its samples are 0, 1 and so on."""

    prompt_id: str
    prompt_text: str
    model: str
    sample: int


class Responder(Protocol):
    """Answers a prompt, knowing nothing of rubrics."""

    async def respond(self, request: RespondRequest) -> str:
        """Return a response.

        Raises:
            ReplyError: there is none; the prompt has one candidate less.
            EndpointError: the endpoint will not answer; the run ends.
        """


class JudgeRequest(NamedTuple):
    """Two candidates to be compared, in the order in which they are shown."""

    prompt_id: str
    prompt_text: str
    first_text: str
    second_text: str


class Judge(Protocol):
    """Says which of two candidates is better, without a rubric."""

    async def prefer(self, request: JudgeRequest) -> Verdict:
        """Return which of the two is better, or a tie.

        Raises:
            ReplyError: the reply cannot be read; the pair stays unjudged.
            EndpointError: the endpoint will not answer; the run ends.
        """

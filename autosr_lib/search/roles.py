"""The roles that a search asks to write rubrics: an initializer and a proposer."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.evaluation.roles import Judge, Verifier


class MutationMode(StrEnum):
    """How a child is made from its parents; the first five modes ask the proposer, the others need no request."""

    RAISE_BAR = "raise_bar"
    DECOMPOSE = "decompose"
    FACTUAL_FOCUS = "factual_focus"
    ANTI_FLUFF = "anti_fluff"
    COUNTEREXAMPLE_TRIGGER = "counterexample_trigger"
    WEIGHT_PERTURB = "weight_perturb"
    REWEIGHT = "reweight"
    PRUNE = "prune"
    CROSSOVER = "crossover"
    GATHER = "gather"


class InitializeRequest(NamedTuple):
    """A prompt that needs an initial rubric, and the texts of its visible candidates in random order."""

    prompt_id: str
    prompt_text: str
    candidate_texts: tuple[str, ...]


class Initializer(Protocol):
    """Writes an initial rubric."""

    async def write(self, request: InitializeRequest) -> Rubric:
        """Return a rubric for the prompt.

        Raises:
            ReplyError: the reply cannot be read.
        """


class ContrastPair(NamedTuple):
    """Two candidates in the order of the reference, and their grades under the parent by criterion key."""

    better_text: str
    worse_text: str
    better_grades: Mapping[str, float]
    worse_grades: Mapping[str, float]
    fault: str
    """How the parent orders the pair: `misordered`, `tied`, or `close` if it is right."""


class ProposeRequest(NamedTuple):
    """A parent rubric, and the pairs that a better rubric should order rightly."""

    prompt_id: str
    prompt_text: str
    parent: Rubric
    mode: MutationMode
    pairs: tuple[ContrastPair, ...]
    attempt: int
    """A number unique within the search, so that two children of one parent are two different requests."""


class Proposal(NamedTuple):
    """New criteria, and the ids of the parent's criteria that are replaced or removed."""

    criteria: tuple[Criterion, ...]
    replaces: tuple[str, ...] = ()


class Proposer(Protocol):
    """Proposes a change to a rubric."""

    async def propose(self, request: ProposeRequest) -> Proposal:
        """Return one to three new criteria for the parent, in the manner of `request.mode`, or none.

        Raises:
            ReplyError: the reply cannot be read.
        """


@dataclass(frozen=True)
class Roles:
    """The implementations that answer each role: models behind an endpoint, heuristics, or fakes in tests."""

    initializer: Initializer
    proposer: Proposer
    verifier: Verifier
    judge: Judge

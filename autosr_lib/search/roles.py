"""The roles that the search asks: an initializer and a proposer."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.evaluation.roles import Judge, Verifier


class MutationMode(StrEnum):
    """How a child differs from its parent; the first five ask the proposer, the others are free."""

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
    """A prompt that needs a first rubric, and the texts of its visible candidates in an order that tells nothing."""

    prompt_id: str
    prompt_text: str
    candidate_texts: tuple[str, ...]


class Initializer(Protocol):
    """Writes a first rubric."""

    async def write(self, request: InitializeRequest) -> Rubric:
        """Return a rubric for the prompt.

        Raises:
            ReplyError: the reply cannot be read.
        """


class ContrastPair(NamedTuple):
    """Two candidates, the reference's better one first, and the grades that the parent gave them, by criterion key."""

    better_text: str
    worse_text: str
    better_grades: Mapping[str, float]
    worse_grades: Mapping[str, float]
    fault: str
    """What is wrong with how the parent orders them: `misordered`, `tied`, or `close` when nothing is."""


class ProposeRequest(NamedTuple):
    """A parent rubric and the pairs that a better one should tell apart.

    `attempt` numbers the children of one generation, so that two children of one parent are two requests.
    """

    prompt_id: str
    prompt_text: str
    parent: Rubric
    mode: MutationMode
    pairs: tuple[ContrastPair, ...]
    attempt: int


class Proposal(NamedTuple):
    """New criteria, and the ids of the parent's criteria that they replace (or that go without replacement)."""

    criteria: tuple[Criterion, ...]
    replaces: tuple[str, ...] = ()


class Proposer(Protocol):
    """Proposes a change to a rubric."""

    async def propose(self, request: ProposeRequest) -> Proposal:
        """Return one to three new criteria for the parent, in the manner of `request.mode`; none if there is nothing new.

        Raises:
            ReplyError: the reply cannot be read; there is no child.
        """


@dataclass(frozen=True)
class Roles:
    """Those who are asked: by a model behind an endpoint, by heuristics, or by fakes."""

    initializer: Initializer
    proposer: Proposer
    verifier: Verifier
    judge: Judge

"""Those who are asked in a planted world; every reply is a function of its request."""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Final

import numpy as np

from autosr_lib.domain.preference import Verdict
from autosr_lib.domain.rubric import Rubric
from autosr_lib.evaluation.roles import Grade, GradeRequest, JudgeRequest
from autosr_lib.search.roles import InitializeRequest, Proposal, ProposeRequest, Roles
from benchmarks.planted_world import ATTRIBUTES, SURFACE, World, attribute_of, criterion_for, digest, normal, uniform

CRITERIA_PER_PROPOSAL: Final = 2
PERCEPTION_NOISE: Final = 0.25
"""Standard deviation of how much an attribute seems to differ between two candidates, in units of the attribute."""
TEMPERATURE: Final = 0.1
"""Spread (Gumbel scale) of the choice among the differences that are seen: higher names irrelevant ones more often."""
KNOWN_PENALTY: Final = 0.3
"""How much smaller a difference looks that the parent asks for already; it may be named all the same."""
JUDGE_TEMPERATURE: Final = 0.05
POSITION_BIAS: Final = 0.5
"""Log-odds by which the judge favours what it is shown first."""


class PlantedRoles:
    """Initializer, proposer, verifier and judge of some worlds; counts what it is asked, by role."""

    def __init__(self, *worlds: World) -> None:
        self._worlds = {world.prompt_id: world for world in worlds}
        self.requests: Counter[str] = Counter()

    def roles(self) -> Roles:
        """Return the roles for a search."""
        return Roles(initializer=self, proposer=self, verifier=self, judge=self)

    @property
    def calls(self) -> int:
        """Return the requests of the search; the judge's are told apart."""
        return self.requests.total() - self.requests["judge"]

    async def write(self, request: InitializeRequest) -> Rubric:
        """Return what anyone would say: the surface, all of it equally."""
        self.requests["initializer"] += 1
        if request.prompt_id not in self._worlds:
            raise LookupError(f"prompt {request.prompt_id!r} is of no world given to PlantedRoles")
        return initial_rubric()

    async def propose(self, request: ProposeRequest) -> Proposal:
        """Return criteria for what seems to set the better candidates of the pairs apart."""
        self.requests["proposer"] += 1
        world = self._worlds[request.prompt_id]
        named = notice(world, request)
        wordings = world.settings.wordings
        asked = [_request_key(world, request, "wording", place) for place in named]
        return Proposal(
            tuple(criterion_for(place, digest(*key) % wordings) for place, key in zip(named, asked, strict=True))
        )

    async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
        """Return a noisy grade for each criterion."""
        self.requests["verifier"] += 1
        world = self._worlds[request.prompt_id]
        place = world.place[request.candidate_text]
        return {c.key: Grade(world.grade(c, place, request.vote)) for c in request.criteria}

    async def prefer(self, request: JudgeRequest) -> Verdict:
        """Return a noisy preference that favours the first place."""
        self.requests["judge"] += 1
        world = self._worlds[request.prompt_id]
        first, second = (world.quality[world.place[text]] for text in (request.first_text, request.second_text))
        odds = (first - second) / JUDGE_TEMPERATURE + POSITION_BIAS
        chance = uniform("judge", world.settings.seed, request.first_text, request.second_text)
        return Verdict.FIRST if chance < 1 / (1 + math.exp(-odds)) else Verdict.SECOND


def initial_rubric() -> Rubric:
    """Return the surface attributes with equal weights."""
    return Rubric(criteria=tuple(criterion_for(place) for place in range(len(SURFACE))))


def notice(world: World, request: ProposeRequest) -> list[int]:
    """Return the attributes that a proposer names: those that seem to favour the better candidates most.

    The differences are averaged over the pairs, as one would who looks for what they have in common.
    """
    gaps = [
        world.attributes[world.place[p.better_text]] - world.attributes[world.place[p.worse_text]]
        for p in request.pairs
    ]
    seen = np.mean(gaps, axis=0) if gaps else np.zeros(len(ATTRIBUTES))
    known = {attribute_of(criterion) for criterion in request.parent.criteria}
    for place in range(len(ATTRIBUTES)):
        blur = PERCEPTION_NOISE * normal(*_request_key(world, request, "blur", place))
        gumbel = -math.log(-math.log(uniform(*_request_key(world, request, "choice", place))))
        seen[place] += blur + TEMPERATURE * gumbel - KNOWN_PENALTY * (place in known)
    return [int(place) for place in np.argsort(-seen, kind="stable")[:CRITERIA_PER_PROPOSAL]]


def _request_key(world: World, request: ProposeRequest, what: str, place: int) -> tuple[object, ...]:
    pairs = tuple((pair.better_text, pair.worse_text) for pair in request.pairs)
    return (what, world.settings.seed, request.parent.fingerprint, request.mode.value, pairs, request.attempt, place)

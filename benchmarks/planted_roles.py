"""The roles of a planted world; every reply is a function of its request."""

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
"""Standard deviation of the noise in a perceived difference between two candidates, in units of the attribute."""
TEMPERATURE: Final = 0.1
"""Gumbel scale of the choice among perceived differences; a higher one names irrelevant attributes more often."""
KNOWN_PENALTY: Final = 0.3
"""By how much a difference is reduced if the parent has a criterion for it already."""
JUDGE_TEMPERATURE: Final = 0.05
POSITION_BIAS: Final = 0.5
"""Log-odds by which the judge favours the candidate shown first."""


class PlantedRoles:
    """Initializer, proposer, verifier and judge of some worlds; counts requests by role."""

    def __init__(self, *worlds: World) -> None:
        self._worlds = {world.prompt_id: world for world in worlds}
        self.requests: Counter[str] = Counter()

    def roles(self) -> Roles:
        """Return the roles for a search."""
        return Roles(initializer=self, proposer=self, verifier=self, judge=self)

    @property
    def calls(self) -> int:
        """Return the requests of the search, without those to the judge."""
        return self.requests.total() - self.requests["judge"]

    async def write(self, request: InitializeRequest) -> Rubric:
        """Return the surface attributes with equal weights."""
        self.requests["initializer"] += 1
        if request.prompt_id not in self._worlds:
            raise LookupError(f"prompt {request.prompt_id!r} does not belong to a world of these PlantedRoles")
        return initial_rubric()

    async def propose(self, request: ProposeRequest) -> Proposal:
        """Return criteria for the attributes that seem to distinguish the better candidates of the pairs."""
        self.requests["proposer"] += 1
        world = self._worlds[request.prompt_id]
        named = noticed_attributes(world, request)
        wordings = world.settings.wordings
        request_keys = [_request_key(world, request, "wording", attribute) for attribute in named]
        return Proposal(
            tuple(
                criterion_for(attribute, digest(*key) % wordings)
                for attribute, key in zip(named, request_keys, strict=True)
            )
        )

    async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
        """Return a noisy grade for each criterion."""
        self.requests["verifier"] += 1
        world = self._worlds[request.prompt_id]
        position = world.positions[request.candidate_text]
        return {c.key: Grade(world.grade(c, position, request.vote)) for c in request.criteria}

    async def prefer(self, request: JudgeRequest) -> Verdict:
        """Return a noisy preference that favours the first candidate."""
        self.requests["judge"] += 1
        world = self._worlds[request.prompt_id]
        first, second = (world.quality[world.positions[text]] for text in (request.first_text, request.second_text))
        odds = (first - second) / JUDGE_TEMPERATURE + POSITION_BIAS
        chance = uniform("judge", world.settings.seed, request.first_text, request.second_text)
        return Verdict.FIRST if chance < 1 / (1 + math.exp(-odds)) else Verdict.SECOND


def initial_rubric() -> Rubric:
    """Return the surface attributes with equal weights."""
    return Rubric(criteria=tuple(criterion_for(attribute) for attribute in range(len(SURFACE))))


def noticed_attributes(world: World, request: ProposeRequest) -> list[int]:
    """Return the attributes that a proposer names: those that seem to favour the better candidates most.

    The differences are averaged over the pairs.
    """
    gaps = [
        world.attributes[world.positions[p.better_text]] - world.attributes[world.positions[p.worse_text]]
        for p in request.pairs
    ]
    differences = np.mean(gaps, axis=0) if gaps else np.zeros(len(ATTRIBUTES))
    present = {attribute_of(criterion) for criterion in request.parent.criteria}
    for attribute in range(len(ATTRIBUTES)):
        blur = PERCEPTION_NOISE * normal(*_request_key(world, request, "blur", attribute))
        gumbel = -math.log(-math.log(uniform(*_request_key(world, request, "choice", attribute))))
        differences[attribute] += blur + TEMPERATURE * gumbel - KNOWN_PENALTY * (attribute in present)
    return [int(attribute) for attribute in np.argsort(-differences, kind="stable")[:CRITERIA_PER_PROPOSAL]]


def _request_key(world: World, request: ProposeRequest, purpose: str, attribute: int) -> tuple[object, ...]:
    pairs = tuple((pair.better_text, pair.worse_text) for pair in request.pairs)
    return (
        purpose,
        world.settings.seed,
        request.parent.fingerprint,
        request.mode.value,
        pairs,
        request.attempt,
        attribute,
    )

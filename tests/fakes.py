"""Fakes of the roles, whose replies depend only on the texts of a request.

A candidate's text lists its attributes (`clarity=0.90 depth=0.25`), and a criterion's text is the name of an attribute
(`clarity`). The verifier reads the value of the attribute, the proposer names the attribute on which the better candidate
of a pair is furthest ahead, and the judge compares the means. Equal requests get equal replies, as with a model at
temperature 0.
"""

import asyncio
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from autosr_lib.domain.preference import Verdict
from autosr_lib.domain.prompt import Candidate, Prompt
from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.errors import ReplyError
from autosr_lib.evaluation.roles import Grade, GradeRequest, JudgeRequest
from autosr_lib.search.roles import InitializeRequest, Proposal, ProposeRequest, Roles


def attributes(text: str) -> dict[str, float]:
    """Return the attributes in a candidate's text."""
    return {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", text)}


def criterion(name: str, weight: float = 1.0) -> Criterion:
    """Return the criterion for an attribute."""
    return Criterion(criterion_id=name, text=name, weight=weight)


def rubric(*names: str) -> Rubric:
    """Return a rubric with one criterion per attribute, all with equal weights."""
    return Rubric(criteria=tuple(criterion(name) for name in names))


def prompt_with(qualities: Sequence[float], prompt_id: str = "p1", **columns: Sequence[float]) -> Prompt:
    """Return a prompt whose candidates have these qualities and attributes, from two alternating sources."""
    return Prompt(
        prompt_id=prompt_id,
        prompt=f"Write something for {prompt_id}.",
        candidates=tuple(
            Candidate(
                candidate_id=f"c{i}",
                source=f"model-{'ab'[i % 2]}",
                text=" ".join(f"{name}={values[i]:.4f}" for name, values in columns.items()) or f"text {i}",
                metadata={"quality": quality},
            )
            for i, quality in enumerate(qualities)
        ),
    )


def chance(*parts: object) -> float:
    """Return a number in [0, 1) that depends only on the parts."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


@dataclass
class FakeVerifier:
    """Grades by the attributes in the candidate's text, and records its requests.

    Attributes:
        noise: width of the random change of each grade, different for each vote.
        failing: share of the requests without a usable reply.
        requests: all requests so far.
    """

    noise: float = 0.0
    failing: float = 0.0
    requests: list[GradeRequest] = field(default_factory=list)

    async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
        """Return the value of each criterion's attribute plus noise; 0.5 for an attribute that the text lacks."""
        self.requests.append(request)
        text = request.candidate_text
        if chance("fail", text, *(criterion.key for criterion in request.criteria)) < self.failing:
            raise ReplyError("a reply that cannot be read")
        values = attributes(text)
        noisy = {
            criterion.key: values.get(criterion.text, 0.5)
            + self.noise * (chance(text, criterion.key, request.vote) - 0.5)
            for criterion in request.criteria
        }
        return {key: Grade(min(1.0, max(0.0, value))) for key, value in noisy.items()}


@dataclass
class FlakyVerifier(FakeVerifier):
    """A `FakeVerifier` whose first `unread` replies cannot be read."""

    unread: int = 0

    async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
        """Return grades, once enough replies have failed."""
        if len(self.requests) < self.unread:
            self.requests.append(request)
            raise ReplyError("a reply that cannot be read")
        return await super().grade(request)


@dataclass
class FakeProposer:
    """Proposes the attributes on which the better candidate of the first pair is furthest ahead."""

    requests: list[ProposeRequest] = field(default_factory=list)

    async def propose(self, request: ProposeRequest) -> Proposal:
        """Return one of the three best attributes that the parent lacks, selected by `attempt`."""
        self.requests.append(request)
        if not request.pairs:
            return Proposal(())
        better, worse = attributes(request.pairs[0].better_text), attributes(request.pairs[0].worse_text)
        present = {criterion.text for criterion in request.parent.criteria}
        names = sorted(
            (name for name in better if name not in present), key=lambda name: worse.get(name, 0) - better[name]
        )
        if not names:
            return Proposal(())
        return Proposal((criterion(names[request.attempt % min(3, len(names))]),))


@dataclass
class ScriptedProposer:
    """Returns what the script returns for a request; None means an empty proposal."""

    script: Callable[[ProposeRequest], Proposal | None]
    requests: list[ProposeRequest] = field(default_factory=list)

    async def propose(self, request: ProposeRequest) -> Proposal:
        """Return the proposal of the script."""
        self.requests.append(request)
        if (proposal := self.script(request)) is None:
            return Proposal(())
        return proposal


@dataclass
class FakeInitializer:
    """Writes a rubric with the first attributes of the first candidate; raises for the prompt ids in `failing`."""

    size: int = 2
    failing: frozenset[str] = frozenset()
    requests: list[InitializeRequest] = field(default_factory=list)

    async def write(self, request: InitializeRequest) -> Rubric:
        """Return a rubric with the first `size` attributes in alphabetical order."""
        self.requests.append(request)
        if request.prompt_id in self.failing:
            raise RuntimeError(f"no rubric for {request.prompt_id}")
        names = sorted(attributes(request.candidate_texts[0])) or ["anything"]
        return rubric(*names[: self.size])


@dataclass
class FakeJudge:
    """Prefers the higher mean of attributes; `bias` favours the candidate that is shown first."""

    bias: float = 0.0
    requests: list[JudgeRequest] = field(default_factory=list)

    async def prefer(self, request: JudgeRequest) -> Verdict:
        """Return the verdict on the two texts."""
        self.requests.append(request)
        first, second = (_mean(text) for text in (request.first_text, request.second_text))
        gap = first + self.bias - second
        return Verdict.TIE if abs(gap) < 1e-9 else Verdict.FIRST if gap > 0 else Verdict.SECOND


def _mean(text: str) -> float:
    values = attributes(text).values()
    return sum(values) / len(values) if values else 0.5


def fake_roles(noise: float = 0.0, failing: float = 0.0) -> Roles:
    """Return new fakes of all roles."""
    return Roles(FakeInitializer(), FakeProposer(), FakeVerifier(noise, failing), FakeJudge())


@dataclass
class DelayedRoles:
    """All roles, each reply delayed by a number of event loop iterations that depends on `seed` and the request count."""

    roles: Roles
    seed: int
    count: int = 0

    async def _delay(self) -> None:
        self.count += 1
        for _ in range(int(chance(self.seed, self.count) * 5)):
            await asyncio.sleep(0)

    async def write(self, request: InitializeRequest) -> Rubric:
        """Return the delayed reply of the initializer."""
        await self._delay()
        return await self.roles.initializer.write(request)

    async def propose(self, request: ProposeRequest) -> Proposal:
        """Return the delayed reply of the proposer."""
        await self._delay()
        return await self.roles.proposer.propose(request)

    async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
        """Return the delayed reply of the verifier."""
        await self._delay()
        return await self.roles.verifier.grade(request)

    async def prefer(self, request: JudgeRequest) -> Verdict:
        """Return the delayed reply of the judge."""
        await self._delay()
        return await self.roles.judge.prefer(request)


def delayed_roles(roles: Roles, seed: int) -> Roles:
    """Return roles whose replies arrive in an order that depends on the seed."""
    delayed = DelayedRoles(roles, seed)
    return Roles(delayed, delayed, delayed, delayed)

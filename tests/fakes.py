"""Fakes of the roles: everything that a model would answer is read off the texts themselves.

A candidate's text lists its attributes (`clarity=0.90 depth=0.25`); a criterion says which one it asks for (`clarity`).
The verifier reads the number, the proposer names the attribute on which the better candidate of a pair is furthest
ahead, the judge compares the means. Every reply is a function of the request, as with a model at temperature 0.
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
    """Return what a candidate's text says of itself."""
    return {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", text)}


def criterion(name: str, weight: float = 1.0) -> Criterion:
    """Return the criterion that asks for an attribute."""
    return Criterion(criterion_id=name, text=name, weight=weight)


def rubric(*names: str) -> Rubric:
    """Return a rubric of equal weights."""
    return Rubric(criteria=tuple(criterion(name) for name in names))


def prompt_with(qualities: Sequence[float], prompt_id: str = "p1", **columns: Sequence[float]) -> Prompt:
    """Return a prompt whose candidates have these qualities and attributes; two sources take turns."""
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
    """Return a number in 0..1 that depends on nothing but the parts."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


@dataclass
class FakeVerifier:
    """Reads grades off the candidate's text; `noise` moves them, each vote on its own; counts what it is asked."""

    noise: float = 0.0
    failing: float = 0.0
    requests: list[GradeRequest] = field(default_factory=list)

    async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
        """Return the attribute that each criterion names, moved by noise; 0.5 for one that the text lacks."""
        self.requests.append(request)
        if chance("fail", request.candidate_text, *(c.key for c in request.criteria)) < self.failing:
            raise ReplyError("a reply that cannot be read")
        known = attributes(request.candidate_text)
        moved = {
            c.key: known.get(c.text, 0.5) + self.noise * (chance(request.candidate_text, c.key, request.vote) - 0.5)
            for c in request.criteria
        }
        return {key: Grade(min(1.0, max(0.0, value))) for key, value in moved.items()}


@dataclass
class FlakyVerifier(FakeVerifier):
    """Answers like `FakeVerifier`, but the first `unread` of its replies cannot be read."""

    unread: int = 0

    async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
        """Return grades once enough replies have been lost."""
        if len(self.requests) < self.unread:
            self.requests.append(request)
            raise ReplyError("a reply that cannot be read")
        return await super().grade(request)


@dataclass
class FakeProposer:
    """Names the attributes on which the better candidate of the first pair is furthest ahead."""

    requests: list[ProposeRequest] = field(default_factory=list)

    async def propose(self, request: ProposeRequest) -> Proposal:
        """Return the next attribute, by `attempt`, that the parent lacks."""
        self.requests.append(request)
        if not request.pairs:
            return Proposal(())
        better, worse = attributes(request.pairs[0].better_text), attributes(request.pairs[0].worse_text)
        taken = {c.text for c in request.parent.criteria}
        ahead = sorted(
            (name for name in better if name not in taken), key=lambda name: worse.get(name, 0) - better[name]
        )
        if not ahead:
            return Proposal(())
        return Proposal((criterion(ahead[request.attempt % min(3, len(ahead))]),))


@dataclass
class ScriptedProposer:
    """Answers what the script says of a request; a script that returns None has nothing to say."""

    script: Callable[[ProposeRequest], Proposal | None]
    requests: list[ProposeRequest] = field(default_factory=list)

    async def propose(self, request: ProposeRequest) -> Proposal:
        """Return the script's answer."""
        self.requests.append(request)
        if (proposal := self.script(request)) is None:
            return Proposal(())
        return proposal


@dataclass
class FakeInitializer:
    """Writes a rubric of the first attributes of the first candidate; fails for the prompt ids in `failing`."""

    size: int = 2
    failing: frozenset[str] = frozenset()
    requests: list[InitializeRequest] = field(default_factory=list)

    async def write(self, request: InitializeRequest) -> Rubric:
        """Return the rubric of the first attributes in alphabetical order."""
        self.requests.append(request)
        if request.prompt_id in self.failing:
            raise RuntimeError(f"no rubric for {request.prompt_id}")
        names = sorted(attributes(request.candidate_texts[0])) or ["anything"]
        return rubric(*names[: self.size])


@dataclass
class FakeJudge:
    """Prefers the higher mean of attributes; with `bias` it favours what it is shown first."""

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
    """Return fresh fakes of all roles."""
    return Roles(FakeInitializer(), FakeProposer(), FakeVerifier(noise, failing), FakeJudge())


@dataclass
class Unhurried:
    """Roles that answer as `roles` do, but each after giving way to the others a number of times drawn from `seed`."""

    roles: Roles
    seed: int
    asked: int = 0

    async def _wait(self) -> None:
        self.asked += 1
        for _ in range(int(chance(self.seed, self.asked) * 5)):
            await asyncio.sleep(0)

    async def write(self, request: InitializeRequest) -> Rubric:
        """Return what the initializer says, late."""
        await self._wait()
        return await self.roles.initializer.write(request)

    async def propose(self, request: ProposeRequest) -> Proposal:
        """Return what the proposer says, late."""
        await self._wait()
        return await self.roles.proposer.propose(request)

    async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
        """Return what the verifier says, late."""
        await self._wait()
        return await self.roles.verifier.grade(request)

    async def prefer(self, request: JudgeRequest) -> Verdict:
        """Return what the judge says, late."""
        await self._wait()
        return await self.roles.judge.prefer(request)


def unhurried(roles: Roles, seed: int) -> Roles:
    """Return roles whose answers come in an order that depends on the seed."""
    one = Unhurried(roles, seed)
    return Roles(one, one, one, one)

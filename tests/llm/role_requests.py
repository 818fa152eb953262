"""Requests that the tests send to the roles, and helpers that send them."""

import asyncio
from typing import Any

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.evaluation.roles import Grade, GradeRequest, JudgeRequest
from autosr_lib.evaluation.settings import GradingSettings
from autosr_lib.llm.endpoint.client import ModelClient
from autosr_lib.llm.roles import llm_roles
from autosr_lib.search.roles import ContrastPair, InitializeRequest, MutationMode, ProposeRequest, Roles

CRITERIA = tuple(
    Criterion(criterion_id=f"secret-id-{n}", text=f"The response covers point {n}.", weight=n) for n in (1, 2, 3)
)
KEYS = tuple(criterion.key for criterion in CRITERIA)
PARENT = Rubric(criteria=CRITERIA)


def roles_of(client: ModelClient, **grading: object) -> Roles:
    return llm_roles(client, client.settings, GradingSettings(**grading))


def grade_request(text: str = "An answer.", vote: int = 0, prompt_id: str = "p1") -> GradeRequest:
    return GradeRequest(prompt_id, "Explain rain.", text, CRITERIA, vote)


def judge_request(first: str = "One.", second: str = "Two.") -> JudgeRequest:
    return JudgeRequest("p1", "Explain rain.", first, second)


def initialize_request(*texts: str) -> InitializeRequest:
    return InitializeRequest("p1", "Explain rain.", texts)


def propose_request(
    better: str = "Good.", worse: str = "Bad.", mode: MutationMode = MutationMode.RAISE_BAR
) -> ProposeRequest:
    pair = ContrastPair(better, worse, {KEYS[0]: 0.4}, {KEYS[0]: 0.8}, "misordered")
    return ProposeRequest("p1", "Explain rain.", PARENT, mode, (pair,), 0)


async def grade_once(client: ModelClient) -> dict[str, Grade]:
    """Return the grades of one candidate, from a session of its own."""
    async with client:
        return dict(await roles_of(client).verifier.grade(grade_request()))


async def grade_candidates(client: ModelClient, count: int) -> list[Any]:
    """Return the grades of different candidates, graded concurrently in a session of their own."""
    verifier = roles_of(client).verifier
    async with client:
        return await asyncio.gather(*(verifier.grade(grade_request(f"{number}")) for number in range(count)))


async def ask_every_role(client: ModelClient) -> list[Any]:
    """Return the replies to 66 different requests of all four roles, sent concurrently in a session of their own."""
    roles = roles_of(client)
    async with client:
        return await asyncio.gather(
            roles.initializer.write(initialize_request("a", "b")),
            *(roles.verifier.grade(grade_request(f"candidate {n}", vote)) for n in range(20) for vote in range(2)),
            *(roles.judge.prefer(judge_request(f"{n}", f"{n + 1}")) for n in range(20)),
            *(roles.proposer.propose(propose_request(f"better {n}")) for n in range(5)),
        )

"""What the tests ask the roles."""

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.evaluation.roles import GradeRequest, JudgeRequest
from autosr_lib.evaluation.settings import GradingSettings
from autosr_lib.llm import ModelClient, llm_roles
from autosr_lib.search.roles import ContrastPair, InitializeRequest, MutationMode, ProposeRequest, Roles

CRITERIA = tuple(
    Criterion(criterion_id=f"secret-id-{n}", text=f"The response covers point {n}.", weight=n) for n in (1, 2, 3)
)
KEYS = tuple(criterion.key for criterion in CRITERIA)
PARENT = Rubric(criteria=CRITERIA)


def roles_of(client: ModelClient, **grading: object) -> Roles:
    return llm_roles(client, client.settings, GradingSettings(**grading))


def grading_of(text: str = "An answer.", vote: int = 0, prompt_id: str = "p1") -> GradeRequest:
    return GradeRequest(prompt_id, "Explain rain.", text, CRITERIA, vote)


def judging_of(first: str = "One.", second: str = "Two.") -> JudgeRequest:
    return JudgeRequest("p1", "Explain rain.", first, second)


def writing_of(*texts: str) -> InitializeRequest:
    return InitializeRequest("p1", "Explain rain.", texts)


def proposing_of(
    better: str = "Good.", worse: str = "Bad.", mode: MutationMode = MutationMode.RAISE_BAR
) -> ProposeRequest:
    pair = ContrastPair(better, worse, {KEYS[0]: 0.4}, {KEYS[0]: 0.8}, "misordered")
    return ProposeRequest("p1", "Explain rain.", PARENT, mode, (pair,), 0)

"""Models behind the roles, on any OpenAI-compatible endpoint.

client = ModelClient(settings)
roles = llm_roles(client, settings, grading)

async def step() -> None:
    async with client:
        ...  # ask the roles

asyncio.run(step())
asyncio.run(step())  # another event loop, the same client
"""

from autosr_lib.evaluation.settings import GradingSettings
from autosr_lib.llm.client import ModelClient
from autosr_lib.llm.extraction import Extractor
from autosr_lib.llm.initializer import LlmInitializer
from autosr_lib.llm.judge import LlmJudge
from autosr_lib.llm.prompts import PromptSet
from autosr_lib.llm.proposer import LlmProposer
from autosr_lib.llm.settings import LlmSettings, Role
from autosr_lib.llm.verifier import LlmVerifier
from autosr_lib.search.roles import Roles

__all__ = ["LlmSettings", "ModelClient", "llm_roles"]


def llm_roles(client: ModelClient, settings: LlmSettings, grading: GradingSettings) -> Roles:
    """Return the four roles, asked through one client.

    Raises:
        TemplateError: a template is missing or wrong.
    """
    prompts = PromptSet(settings)
    extractor = Extractor(settings.extraction)
    return Roles(
        initializer=LlmInitializer(client, prompts[Role.INITIALIZER], extractor),
        proposer=LlmProposer(client, prompts[Role.PROPOSER], extractor),
        verifier=LlmVerifier(client, prompts[Role.VERIFIER], extractor, grading),
        judge=LlmJudge(client, prompts[Role.JUDGE], extractor),
    )

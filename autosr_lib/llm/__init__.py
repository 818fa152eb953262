"""Models behind the roles, on any OpenAI-compatible endpoint.

client = ModelClient(settings)
roles = llm_roles(client, settings, grading)

async def step() -> None:
    async with client:
        ...  # ask the roles

asyncio.run(step())
asyncio.run(step())  # another event loop, the same client
"""

from typing import TYPE_CHECKING, Any

from autosr_lib.evaluation.settings import GradingSettings
from autosr_lib.llm.settings import LlmSettings, Role
from autosr_lib.search.roles import Roles

if TYPE_CHECKING:
    from autosr_lib.evaluation.roles import Responder
    from autosr_lib.llm.client import ModelClient

__all__ = ["LlmSettings", "ModelClient", "llm_responder", "llm_roles"]


def __getattr__(name: str) -> Any:
    # The settings are here too, and `autosr --help` lists them: what is slow to import waits until it is used.
    if name == "ModelClient":
        from autosr_lib.llm.client import ModelClient  # noqa: PLC0415

        return ModelClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def llm_responder(client: "ModelClient", settings: LlmSettings) -> "Responder":
    """Return who answers prompts, asked through the same client.

    Raises:
        TemplateError: a template is missing or wrong.
    """
    from autosr_lib.llm.prompts import PromptSet  # noqa: PLC0415
    from autosr_lib.llm.responder import LlmResponder  # noqa: PLC0415

    return LlmResponder(client, PromptSet(settings)[Role.RESPONDER])


def llm_roles(client: "ModelClient", settings: LlmSettings, grading: GradingSettings) -> Roles:
    """Return the four roles, asked through one client.

    Raises:
        TemplateError: a template is missing or wrong.
    """
    from autosr_lib.llm.extraction import Extractor  # noqa: PLC0415
    from autosr_lib.llm.initializer import LlmInitializer  # noqa: PLC0415
    from autosr_lib.llm.judge import LlmJudge  # noqa: PLC0415
    from autosr_lib.llm.prompts import PromptSet  # noqa: PLC0415
    from autosr_lib.llm.proposer import LlmProposer  # noqa: PLC0415
    from autosr_lib.llm.verifier import LlmVerifier  # noqa: PLC0415

    prompts = PromptSet(settings)
    extractor = Extractor(settings.extraction)
    return Roles(
        initializer=LlmInitializer(client, prompts[Role.INITIALIZER], extractor),
        proposer=LlmProposer(client, prompts[Role.PROPOSER], extractor),
        verifier=LlmVerifier(client, prompts[Role.VERIFIER], extractor, grading),
        judge=LlmJudge(client, prompts[Role.JUDGE], extractor),
    )

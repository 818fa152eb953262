"""The roles filled in by models."""

from autosr_lib.evaluation.roles import Responder
from autosr_lib.evaluation.settings import GradingSettings
from autosr_lib.llm.endpoint.client import ModelClient
from autosr_lib.llm.extraction import Extractor
from autosr_lib.llm.roles.initializer import LlmInitializer
from autosr_lib.llm.roles.judge import LlmJudge
from autosr_lib.llm.roles.proposer import LlmProposer
from autosr_lib.llm.roles.responder import LlmResponder
from autosr_lib.llm.roles.verifier import LlmVerifier
from autosr_lib.llm.settings import LlmSettings, Role
from autosr_lib.llm.templates import TemplateSet
from autosr_lib.search.roles import Roles

__all__ = ["llm_responder", "llm_roles"]


def llm_roles(client: ModelClient, settings: LlmSettings, grading: GradingSettings) -> Roles:
    """Return the four roles of a search, which send their requests through `client`.

    Raises:
        TemplateError: a template is missing or wrong.
    """
    templates = TemplateSet(settings)
    extractor = Extractor(settings.extraction)
    return Roles(
        initializer=LlmInitializer(client, templates[Role.INITIALIZER], extractor),
        proposer=LlmProposer(client, templates[Role.PROPOSER], extractor),
        verifier=LlmVerifier(client, templates[Role.VERIFIER], extractor, grading),
        judge=LlmJudge(client, templates[Role.JUDGE], extractor),
    )


def llm_responder(client: ModelClient, settings: LlmSettings) -> Responder:
    """Return the responder, which sends its requests through `client`.

    Raises:
        TemplateError: a template is missing or wrong.
    """
    return LlmResponder(client, TemplateSet(settings)[Role.RESPONDER])

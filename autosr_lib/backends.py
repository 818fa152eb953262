"""Backends: who answers the roles, a model behind an endpoint or heuristics."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from autosr_lib.domain.preference import Verdict
from autosr_lib.domain.rubric import Rubric
from autosr_lib.errors import ReplyError, RoleError
from autosr_lib.evaluation.roles import Grade, GradeRequest, JudgeRequest, Responder
from autosr_lib.evaluation.settings import GradingSettings
from autosr_lib.heuristic import heuristic_roles
from autosr_lib.llm.endpoint.client import ModelClient
from autosr_lib.llm.roles import llm_responder, llm_roles
from autosr_lib.llm.settings import LlmSettings, Role
from autosr_lib.llm.templates import TemplateSet
from autosr_lib.search.fingerprints import RoleIdentities
from autosr_lib.search.roles import InitializeRequest, Proposal, ProposeRequest, Roles
from autosr_lib.settings import BackendName, BackendSettings

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


@dataclass
class Backend:
    """The roles, and by role a description of who answers, for fingerprints and the manifest; it holds no secret."""

    name: BackendName
    roles: Roles
    identity: RoleIdentities
    client: ModelClient | None = None
    responder: Responder | None = None
    """Who answers prompts; nobody offline."""
    _known_good: set[str] | None = field(default=None, repr=False)

    @asynccontextmanager
    async def session(self, responders: Sequence[str] = ()) -> AsyncIterator[None]:
        """Open what the roles need in the running event loop, and see at the first time that the endpoint answers.

        Args:
            responders: the models of a pool that is to be asked.

        Raises:
            EndpointError: it does not; nothing has been spent.
        """
        if self.client is None:
            yield
            return
        async with self.client:
            if self._known_good is None or not self._known_good.issuperset(responders):
                await self.client.preflight(responders)
                self._known_good = (self._known_good or set()) | set(responders)
            yield


def open_backend(
    settings: BackendSettings,
    grading: GradingSettings,
    seed: int,
    client_for: Callable[[LlmSettings], ModelClient] | None = None,
) -> Backend:
    """Return the backend that the settings ask for; `client_for` lets several share one client.

    Raises:
        SettingsError: a model is asked for without a key.
        TemplateError: a template is missing or wrong.
    """
    name = settings.resolved
    if name is BackendName.LLM:
        client = (client_for or ModelClient)(settings.llm)
        roles = llm_roles(client, settings.llm, grading)
        asked = roles if settings.llm.llm_fail_soft else _failing_hard(roles)
        responder = llm_responder(client, settings.llm)
        return Backend(name, asked, _models(settings.llm), client, responder)
    return Backend(name, heuristic_roles(seed, settings.noise), backend_identity(settings, seed))


def backend_identity(settings: BackendSettings, seed: int) -> RoleIdentities:
    """Return by role who answers, for fingerprints and the manifest, without opening a backend.

    Raises:
        SettingsError: a model is asked for without a key.
        TemplateError: a template is missing or wrong.
    """
    name = settings.resolved
    if name is BackendName.LLM:
        return _models(settings.llm)
    noisy: Mapping[str, Any] = {"noise": settings.noise, "seed": seed} if settings.noise else {}
    identity = {role.value: {"backend": str(name)} for role in Role}
    identity[Role.VERIFIER.value] |= noisy
    return identity


def _models(settings: LlmSettings) -> RoleIdentities:
    """Return by role what decides a reply: the endpoint, the model, how it is asked, and what it is told."""
    templates = TemplateSet(settings)
    return {
        role.value: {
            "backend": str(BackendName.LLM),
            "base_url": settings.base_url,
            **({} if role is Role.RESPONDER else {"model": settings.model_for(role)}),
            "asking": settings.settings_for(role).model_dump(mode="json"),
            "prompts": templates.fingerprint,
            "extraction": settings.extraction.model_dump(mode="json"),
        }
        for role in Role
    }


def _failing_hard(roles: Roles) -> Roles:
    return Roles(*(_Hard(one) for one in (roles.initializer, roles.proposer, roles.verifier, roles.judge)))


class _Hard:
    """Any role, whose unreadable reply fails the prompt, instead of leaving the thing ungraded (`llm_fail_soft` off)."""

    def __init__(self, role: Any) -> None:
        self._role = role

    async def write(self, request: InitializeRequest) -> Rubric:
        answer: Rubric = await self._asked(self._role.write, request)
        return answer

    async def propose(self, request: ProposeRequest) -> Proposal:
        answer: Proposal = await self._asked(self._role.propose, request)
        return answer

    async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
        answer: Mapping[str, Grade] = await self._asked(self._role.grade, request)
        return answer

    async def prefer(self, request: JudgeRequest) -> Verdict:
        answer: Verdict = await self._asked(self._role.prefer, request)
        return answer

    @staticmethod
    async def _asked(ask: Callable[[Asked], Awaitable[Answer]], request: Asked) -> Answer:
        try:
            return await ask(request)
        except ReplyError as error:
            raise RoleError(str(error)) from error

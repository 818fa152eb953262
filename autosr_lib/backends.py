"""Backends, which answer the roles: models behind an endpoint, or heuristics."""

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

Request = TypeVar("Request")
Reply = TypeVar("Reply")


@dataclass
class Backend:
    """An open backend.

    Attributes:
        name: `llm` or `heuristic`.
        roles: the roles of a search.
        identity: what answers each role, for fingerprints and the manifest; it holds no secret.
        client: the client of the endpoint; None offline.
        responder: the role that answers prompts; None offline.
    """

    name: BackendName
    roles: Roles
    identity: RoleIdentities
    client: ModelClient | None = None
    responder: Responder | None = None
    _preflighted: set[str] | None = field(default=None, repr=False)
    """Responders of the last preflight; None before the first."""

    @asynccontextmanager
    async def session(self, responders: Sequence[str] = ()) -> AsyncIterator[None]:
        """Open the connections in the running event loop, and test the endpoint before its first use.

        Args:
            responders: the models that will answer prompts.

        Raises:
            EndpointError: the endpoint cannot be used; nothing was spent.
        """
        if self.client is None:
            yield
            return
        async with self.client:
            if self._preflighted is None or not self._preflighted.issuperset(responders):
                await self.client.preflight(responders)
                self._preflighted = (self._preflighted or set()) | set(responders)
            yield


def open_backend(
    settings: BackendSettings,
    grading: GradingSettings,
    seed: int,
    client_for: Callable[[LlmSettings], ModelClient] | None = None,
) -> Backend:
    """Return the backend of these settings; `client_for` lets several backends share a client.

    Raises:
        SettingsError: the backend is `llm`, and the environment has no key.
        TemplateError: a template is missing or wrong.
    """
    name = settings.resolved
    if name is BackendName.LLM:
        client = (client_for or ModelClient)(settings.llm)
        roles = llm_roles(client, settings.llm, grading)
        roles = roles if settings.llm.llm_fail_soft else _with_hard_failures(roles)
        responder = llm_responder(client, settings.llm)
        return Backend(name, roles, _model_identity(settings.llm), client, responder)
    return Backend(name, heuristic_roles(seed, settings.noise), backend_identity(settings, seed))


def backend_identity(settings: BackendSettings, seed: int) -> RoleIdentities:
    """Return what answers each role, for fingerprints and the manifest, without opening a backend.

    Raises:
        SettingsError: the backend is `llm`, and the environment has no key.
        TemplateError: a template is missing or wrong.
    """
    name = settings.resolved
    if name is BackendName.LLM:
        return _model_identity(settings.llm)
    noisy: Mapping[str, Any] = {"noise": settings.noise, "seed": seed} if settings.noise else {}
    identity = {role.value: {"backend": str(name)} for role in Role}
    identity[Role.VERIFIER.value] |= noisy
    return identity


def _model_identity(settings: LlmSettings) -> RoleIdentities:
    """Return by role what a reply depends on: the endpoint, the model, the request parameters and the template."""
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


def _with_hard_failures(roles: Roles) -> Roles:
    """Return the roles with `llm_fail_soft` off."""
    return Roles(*(_FailingRole(role) for role in (roles.initializer, roles.proposer, roles.verifier, roles.judge)))


class _FailingRole:
    """A role whose unreadable reply fails the prompt, instead of leaving something ungraded."""

    def __init__(self, role: Any) -> None:
        self._role = role

    async def write(self, request: InitializeRequest) -> Rubric:
        rubric: Rubric = await self._call(self._role.write, request)
        return rubric

    async def propose(self, request: ProposeRequest) -> Proposal:
        proposal: Proposal = await self._call(self._role.propose, request)
        return proposal

    async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
        grades: Mapping[str, Grade] = await self._call(self._role.grade, request)
        return grades

    async def prefer(self, request: JudgeRequest) -> Verdict:
        verdict: Verdict = await self._call(self._role.prefer, request)
        return verdict

    @staticmethod
    async def _call(method: Callable[[Request], Awaitable[Reply]], request: Request) -> Reply:
        try:
            return await method(request)
        except ReplyError as error:
            raise RoleError(str(error)) from error

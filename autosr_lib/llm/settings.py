"""Settings of the models behind the roles: the endpoint, its limits, and what of a text a model sees.

No secret is a setting: the key is read from the environment variable that `api_key_env` names.
"""

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import regex
from pydantic import ConfigDict, Field, field_validator, model_validator

from autosr_lib.evaluation.settings import Settings

DEFAULT_BASE_URL = "https://openrouter.ai/api/v1"
DEFAULT_MODEL = "stepfun/step-3.5-flash:free"


class Role(StrEnum):
    """Those who are asked; also the names of their templates and of their reply schemas."""

    INITIALIZER = "initializer"
    PROPOSER = "proposer"
    VERIFIER = "verifier"
    JUDGE = "judge"
    RESPONDER = "responder"


ROLES_WITH_A_MODEL = (Role.INITIALIZER, Role.PROPOSER, Role.VERIFIER, Role.JUDGE)
"""Those that ask one model each; the responder's models come from a pool."""

# The verifier's votes have to differ to be worth their price; the judge is asked in both orders instead.
_TEMPERATURES = {Role.INITIALIZER: 0.7, Role.PROPOSER: 0.9, Role.VERIFIER: 0.3, Role.JUDGE: 0.0, Role.RESPONDER: 1.0}

# What this package writes into every request itself.
_OWN_FIELDS = frozenset({"model", "messages", "stream", "n", "response_format"})


class RoleSettings(Settings):
    """How one role's model is asked; what is left out comes from `role_default`."""

    temperature: float | None = Field(default=None, ge=0, le=2)
    """Sampling temperature; by default 0.7 initializer, 0.9 proposer, 0.3 verifier, 0 judge, 1 responder."""
    seed: int | None = Field(default=None, ge=0)
    """Seed sent with a request, plus its vote or attempt; by default none is sent, as some endpoints refuse it."""
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    """How much a reasoning model may think; by default the endpoint decides."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Most tokens of a reply; by default the endpoint decides."""
    extra_body: Mapping[str, Any] = Field(default_factory=dict)
    """Further fields of the request's body, as the endpoint wants them."""

    @field_validator("extra_body")
    @classmethod
    def _extra_body_leaves_our_fields_alone(cls, extra: Mapping[str, Any]) -> Mapping[str, Any]:
        if clash := sorted(_OWN_FIELDS & set(extra)):
            raise ValueError(f"extra_body may not set {clash}; these fields of a request are written by the client")
        return extra


class Price(Settings):
    """What a model costs, in US dollars per million tokens."""

    prompt: float = Field(ge=0)
    """Dollars per million tokens of requests."""
    completion: float = Field(ge=0)
    """Dollars per million tokens of replies."""


class ExtractStrategy(StrEnum):
    """Which part of a prompt's text the verifier sees."""

    TAG = "tag"
    REGEX = "regex"
    IDENTITY = "identity"


class CandidateExtractStrategy(StrEnum):
    """Which part of a candidate's text models see."""

    ANSWER = "answer"
    IDENTITY = "identity"


class ExtractionSettings(Settings):
    """What of a text a model sees."""

    extract_strategy: ExtractStrategy = ExtractStrategy.IDENTITY
    """Part of a prompt that the verifier sees: blocks of a tag, matches of a pattern, or all; all if nothing is found."""
    extract_tag: str = Field(default="content", pattern=r"^[^\s<>/]+$")
    """Tag whose blocks `tag` takes, without brackets."""
    extract_pattern: str | None = None
    """Regular expression for `regex`; its first group if it has one, else the whole match."""
    extract_join_separator: str = "\n\n"
    """Text between several blocks or matches of a prompt."""
    candidate_extract_strategy: CandidateExtractStrategy = CandidateExtractStrategy.ANSWER
    """Part of a candidate that models see: its `<answer>` blocks, else all but `<think>`; or all."""
    candidate_extract_join_separator: str = "\n\n"
    """Text between several `<answer>` blocks of a candidate."""

    @model_validator(mode="after")
    def _pattern_can_be_used(self) -> Self:
        if self.extract_pattern is None:
            if self.extract_strategy is ExtractStrategy.REGEX:
                raise ValueError("extract_strategy is 'regex' but extract_pattern is not set; set the pattern")
            return self
        try:
            regex.compile(self.extract_pattern)
        except regex.error as error:
            raise ValueError(f"extract_pattern {self.extract_pattern!r} is no regular expression: {error}") from error
        return self


def _from_environment(variable: str, default: str) -> Any:
    return Field(default_factory=lambda: os.environ.get(variable) or default, validate_default=True)


class LlmSettings(Settings):
    """Everything that the `llm` backend may be told."""

    # A password put into base_url by mistake must not come back in the message that refuses it.
    model_config = ConfigDict(hide_input_in_errors=True)

    base_url: Annotated[str, Field(min_length=1)] = _from_environment("LLM_BASE_URL", DEFAULT_BASE_URL)
    """Address of an OpenAI-compatible endpoint; by default that of LLM_BASE_URL, else OpenRouter."""
    model_default: Annotated[str, Field(min_length=1)] = _from_environment("LLM_MODEL", DEFAULT_MODEL)
    """Model of every role that has none of its own; by default that of LLM_MODEL, else a free one."""
    model_initializer: str | None = None
    """Model that writes first rubrics."""
    model_proposer: str | None = None
    """Model that proposes criteria."""
    model_verifier: str | None = None
    """Model that grades candidates."""
    model_judge: str | None = None
    """Model that compares candidates."""
    api_key_env: str = Field(default="LLM_API_KEY", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Name of the environment variable that holds the key; never the key."""

    llm_timeout: float = Field(default=120.0, gt=0)
    """Seconds that one try may take."""
    llm_deadline: float = Field(default=600.0, gt=0)
    """Seconds that one call may take with all its tries and waits, from its first try on."""
    llm_max_retries: int = Field(default=6, ge=0, le=100)
    """Further tries after one that failed for a passing reason."""
    llm_retry_backoff_base: float = Field(default=1.0, ge=0)
    """Seconds before the first retry; doubled for each further one."""
    llm_retry_backoff_max: float = Field(default=60.0, ge=0)
    """Longest wait before a retry, unless the endpoint asks for more."""
    llm_retry_jitter: float = Field(default=0.5, ge=0, le=1)
    """Share of a wait that is drawn at random, so that calls do not come back all at once."""
    llm_fail_soft: bool = True
    """Whether a call that keeps failing leaves the thing ungraded, instead of failing its prompt."""

    max_concurrency: int = Field(default=32, ge=1, le=4096)
    """Most requests under way at once in the whole run; fewer for a while after an HTTP 429."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    """Most requests started in any 60 seconds."""
    tokens_per_minute: int | None = Field(default=None, ge=1)
    """Most tokens, of requests and replies, in any 60 seconds."""

    prompt_language: str = Field(default="en", pattern=r"^[A-Za-z0-9_-]+$")
    """Language of the templates, and so of the criteria: a folder under `prompts_dir` or the built-in `en`, `zh`."""
    prompts_dir: str | None = None
    """Folder of templates that come before the built-in ones."""

    initializer_candidates: int = Field(default=6, ge=0, le=100)
    """Most candidates that the initializer is shown."""

    role_default: RoleSettings = RoleSettings()
    """How every model is asked."""
    role_initializer: RoleSettings = RoleSettings()
    """How the initializer's model is asked, where it differs."""
    role_proposer: RoleSettings = RoleSettings()
    """How the proposer's model is asked, where it differs."""
    role_verifier: RoleSettings = RoleSettings()
    """How the verifier's model is asked, where it differs."""
    role_judge: RoleSettings = RoleSettings()
    """How the judge's model is asked, where it differs."""
    role_responder: RoleSettings = RoleSettings()
    """How the models that answer prompts are asked, where it differs."""

    llm_cache: bool = True
    """Whether good replies are kept on disk and never paid for twice."""
    cache_dir: str = "cache"
    """Folder of the kept replies, by default in the data folder; or `postgresql://…` to share them. A password belongs into AUTOSR_CACHE."""

    max_calls: int | None = Field(default=None, ge=0)
    """Most requests that a run may send, retries among them."""
    max_tokens: int | None = Field(default=None, ge=0)
    """Most tokens that a run may use, of requests and replies."""
    max_cost: float | None = Field(default=None, ge=0)
    """Most US dollars that a run may cost; every model then needs a price."""
    prices: Mapping[str, Price] = Field(default_factory=dict)
    """Price of each model, by its name."""
    confirm_cost: float = Field(default=10.0, ge=0)
    """US dollars of expected cost above which a command asks first; without prices none is known."""

    extraction: ExtractionSettings = ExtractionSettings()
    """What of a text a model sees."""

    @field_validator("cache_dir")
    @classmethod
    def _cache_dir_holds_no_secret(cls, where: str) -> str:
        if "://" in where and ("@" in where or "?" in where):
            raise ValueError("cache_dir may hold no user, password or query: put the address into AUTOSR_CACHE")
        return where

    @field_validator("base_url")
    @classmethod
    def _base_url_is_an_address_without_secrets(cls, url: str) -> str:
        parts = urlsplit(url)
        # First, so that no message repeats a password.
        if "@" in url or parts.query or parts.fragment:
            raise ValueError("base_url may hold no user, password or query: put the key into the environment")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"base_url is {url!r}; it must be an http or https address, such as {DEFAULT_BASE_URL}")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _a_cost_limit_can_be_held(self) -> Self:
        if self.max_cost is not None:
            models = self.models
            if missing := sorted(models - set(self.prices)):
                raise ValueError(f"max_cost is set but prices has no entry for {missing}; give each model a price")
        return self

    @property
    def models(self) -> frozenset[str]:
        """Return the models of all roles."""
        return frozenset(self.model_for(role) for role in ROLES_WITH_A_MODEL)

    def model_for(self, role: Role) -> str:
        """Return the model that the role asks; the responder has none of its own."""
        own: str | None = getattr(self, f"model_{role.value}")
        return own or self.model_default

    def asking(self, role: Role) -> RoleSettings:
        """Return how the role's model is asked, its own settings laid over `role_default`."""
        own: RoleSettings = getattr(self, f"role_{role.value}")
        merged = {**self.role_default.model_dump(exclude_none=True), **own.model_dump(exclude_none=True)}
        merged["extra_body"] = {**self.role_default.extra_body, **own.extra_body}
        merged.setdefault("temperature", _TEMPERATURES[role])
        return RoleSettings(**merged)

"""Settings of the `llm` backend: the endpoint, its limits, the models, and which part of a text a model sees.

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
    """A task that a model performs; the value also names the role's template and its reply schema."""

    INITIALIZER = "initializer"
    PROPOSER = "proposer"
    VERIFIER = "verifier"
    JUDGE = "judge"
    RESPONDER = "responder"


ROLES_WITH_A_MODEL = (Role.INITIALIZER, Role.PROPOSER, Role.VERIFIER, Role.JUDGE)
"""Roles with one configured model each; the responder's models come from a pool."""

# Votes of the verifier must differ to be worth their price. The judge is asked in both orders instead.
_TEMPERATURES = {Role.INITIALIZER: 0.7, Role.PROPOSER: 0.9, Role.VERIFIER: 0.3, Role.JUDGE: 0.0, Role.RESPONDER: 1.0}

# Fields of the request body that the client writes itself.
_RESERVED_FIELDS = frozenset({"model", "messages", "stream", "n", "response_format"})


class RoleSettings(Settings):
    """Request parameters of one role; parameters that are not set come from `role_default`."""

    temperature: float | None = Field(default=None, ge=0, le=2)
    """Sampling temperature; default: initializer 0.7, proposer 0.9, verifier 0.3, judge 0, responder 1."""
    seed: int | None = Field(default=None, ge=0)
    """Seed sent with each request, plus its vote or attempt number; default: none, as some endpoints reject it."""
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    """How much a reasoning model may think; default: the endpoint's own."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Maximum number of tokens in a reply; default: the endpoint's own."""
    extra_body: Mapping[str, Any] = Field(default_factory=dict)
    """Additional fields of the request body."""

    @field_validator("extra_body")
    @classmethod
    def _extra_body_sets_no_reserved_field(cls, extra_body: Mapping[str, Any]) -> Mapping[str, Any]:
        if reserved := sorted(_RESERVED_FIELDS & set(extra_body)):
            raise ValueError(f"extra_body must not set {reserved}; the client writes these fields itself")
        return extra_body


class Price(Settings):
    """Price of a model in US dollars per million tokens."""

    prompt: float = Field(ge=0)
    """US dollars per million prompt tokens."""
    completion: float = Field(ge=0)
    """US dollars per million completion tokens."""

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Return the cost in US dollars.

        >>> Price(prompt=1.0, completion=2.0).cost(1_000_000, 500_000)
        2.0
        """
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6


class ExtractStrategy(StrEnum):
    """How the part of a prompt that the verifier sees is extracted."""

    TAG = "tag"
    REGEX = "regex"
    IDENTITY = "identity"


class CandidateExtractStrategy(StrEnum):
    """How the part of a candidate that models see is extracted."""

    ANSWER = "answer"
    IDENTITY = "identity"


class ExtractionSettings(Settings):
    """Which part of a prompt or candidate a model sees."""

    extract_strategy: ExtractStrategy = ExtractStrategy.IDENTITY
    """Part of a prompt that the verifier sees: blocks of a tag, matches of a pattern, or all; all if nothing matches."""
    extract_tag: str = Field(default="content", pattern=r"^[^\s<>/]+$")
    """Name of the tag for strategy `tag`, without angle brackets."""
    extract_pattern: str | None = None
    """Regular expression for strategy `regex`; its first group is taken if it has one, else the entire match."""
    extract_join_separator: str = "\n\n"
    """Separator between several blocks or matches of a prompt."""
    candidate_extract_strategy: CandidateExtractStrategy = CandidateExtractStrategy.ANSWER
    """Part of a candidate that models see: its `<answer>` blocks, else everything outside `<think>`; or all."""
    candidate_extract_join_separator: str = "\n\n"
    """Separator between several `<answer>` blocks of a candidate."""

    @model_validator(mode="after")
    def _pattern_is_valid(self) -> Self:
        if self.extract_pattern is None:
            if self.extract_strategy is ExtractStrategy.REGEX:
                raise ValueError("extract_strategy is 'regex' but extract_pattern is not set; set the pattern")
            return self
        try:
            regex.compile(self.extract_pattern)
        except regex.error as error:
            raise ValueError(
                f"extract_pattern {self.extract_pattern!r} is not a valid regular expression: {error}"
            ) from error
        return self


def _from_environment(variable: str, default: str) -> Any:
    return Field(default_factory=lambda: os.environ.get(variable) or default, validate_default=True)


class LlmSettings(Settings):
    """All settings of the `llm` backend."""

    # A password put into base_url by mistake must not appear in the error message.
    model_config = ConfigDict(hide_input_in_errors=True)

    base_url: Annotated[str, Field(min_length=1)] = _from_environment("LLM_BASE_URL", DEFAULT_BASE_URL)
    """Address of an OpenAI-compatible endpoint; default: LLM_BASE_URL, else OpenRouter."""
    model_default: Annotated[str, Field(min_length=1)] = _from_environment("LLM_MODEL", DEFAULT_MODEL)
    """Model of each role without a model of its own; default: LLM_MODEL, else a free model."""
    model_initializer: str | None = None
    """Model that writes the first rubrics."""
    model_proposer: str | None = None
    """Model that proposes criteria."""
    model_verifier: str | None = None
    """Model that grades candidates."""
    model_judge: str | None = None
    """Model that compares candidates."""
    api_key_env: str = Field(default="LLM_API_KEY", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Name of the environment variable that holds the API key; never the key itself."""

    llm_timeout: float = Field(default=120.0, gt=0)
    """Timeout of one request in seconds."""
    llm_deadline: float = Field(default=600.0, gt=0)
    """Timeout of one call in seconds, from its first request, including all retries and waits between them."""
    llm_max_retries: int = Field(default=6, ge=0, le=100)
    """Maximum number of retries after a transient failure."""
    llm_retry_backoff_base: float = Field(default=1.0, ge=0)
    """Wait in seconds before the first retry; doubled for each further retry."""
    llm_retry_backoff_max: float = Field(default=60.0, ge=0)
    """Maximum wait in seconds before a retry, unless the endpoint asks for a longer one."""
    llm_retry_jitter: float = Field(default=0.5, ge=0, le=1)
    """Random share of each wait, so that calls do not retry all at the same moment."""
    llm_fail_soft: bool = True
    """Whether the search continues without the reply of a call that keeps failing, instead of failing the prompt."""

    max_concurrency: int = Field(default=32, ge=1, le=4096)
    """Maximum number of concurrent requests of the run; reduced for a while after an HTTP 429."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    """Maximum number of requests started in any 60 seconds."""
    tokens_per_minute: int | None = Field(default=None, ge=1)
    """Maximum number of prompt and completion tokens in any 60 seconds."""

    prompt_language: str = Field(default="en", pattern=r"^[A-Za-z0-9_-]+$")
    """Language of the templates and thus of the criteria: a folder in `prompts_dir`, or the built-in `en` or `zh`."""
    prompts_dir: str | None = None
    """Folder of templates that take precedence over the built-in ones."""

    initializer_candidates: int = Field(default=6, ge=0, le=100)
    """Maximum number of candidates shown to the initializer."""

    role_default: RoleSettings = RoleSettings()
    """Request parameters of all roles."""
    role_initializer: RoleSettings = RoleSettings()
    """Request parameters of the initializer, over those of `role_default`."""
    role_proposer: RoleSettings = RoleSettings()
    """Request parameters of the proposer, over those of `role_default`."""
    role_verifier: RoleSettings = RoleSettings()
    """Request parameters of the verifier, over those of `role_default`."""
    role_judge: RoleSettings = RoleSettings()
    """Request parameters of the judge, over those of `role_default`."""
    role_responder: RoleSettings = RoleSettings()
    """Request parameters of the models that answer prompts, over those of `role_default`."""

    llm_cache: bool = True
    """Whether usable replies are cached, so that no request is paid for twice."""
    cache_dir: str = "cache"
    """Folder of the reply cache, by default in the data folder; or `postgresql://…` to share it. Put a password in AUTOSR_CACHE."""

    max_calls: int | None = Field(default=None, ge=0)
    """Maximum number of requests of a run, including retries."""
    max_tokens: int | None = Field(default=None, ge=0)
    """Maximum number of prompt and completion tokens of a run."""
    max_cost: float | None = Field(default=None, ge=0)
    """Maximum cost of a run in US dollars; requires a price for each model."""
    prices: Mapping[str, Price] = Field(default_factory=dict)
    """Price of each model, by model name."""
    confirm_cost: float = Field(default=10.0, ge=0)
    """Expected cost in US dollars above which a command asks for confirmation; without prices it never asks."""

    extraction: ExtractionSettings = ExtractionSettings()
    """Which part of a prompt or candidate a model sees."""

    @field_validator("cache_dir")
    @classmethod
    def _cache_dir_holds_no_secret(cls, location: str) -> str:
        if "://" in location and ("@" in location or "?" in location):
            raise ValueError("cache_dir must not contain a user, password or query; put the address in AUTOSR_CACHE")
        return location

    @field_validator("base_url")
    @classmethod
    def _base_url_is_valid_and_holds_no_secret(cls, url: str) -> str:
        parts = urlsplit(url)
        # Checked first, so that no message repeats a password.
        if "@" in url or parts.query or parts.fragment:
            raise ValueError("base_url must not contain a user, password or query; put the key in the environment")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"base_url is {url!r}; it must be an http or https address, such as {DEFAULT_BASE_URL}")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _max_cost_has_a_price_for_each_model(self) -> Self:
        if self.max_cost is not None and (missing := sorted(self.models - set(self.prices))):
            raise ValueError(f"max_cost is set but prices has no entry for {missing}; give each model a price")
        return self

    @property
    def models(self) -> frozenset[str]:
        """Return the models of all roles."""
        return frozenset(self.model_for(role) for role in ROLES_WITH_A_MODEL)

    def model_for(self, role: Role) -> str:
        """Return the model of a role other than the responder, whose models come from a pool.

        >>> settings = LlmSettings(model_default="small", model_judge="large")
        >>> settings.model_for(Role.JUDGE), settings.model_for(Role.VERIFIER)
        ('large', 'small')
        """
        role_model: str | None = getattr(self, f"model_{role.value}")
        return role_model or self.model_default

    def settings_for(self, role: Role) -> RoleSettings:
        """Return the request parameters of a role: its own over those of `role_default`, with a temperature.

        >>> settings = LlmSettings(role_default=RoleSettings(max_tokens=500), role_judge=RoleSettings(seed=7))
        >>> judge = settings.settings_for(Role.JUDGE)
        >>> judge.max_tokens, judge.seed, judge.temperature
        (500, 7, 0.0)
        """
        role_settings: RoleSettings = getattr(self, f"role_{role.value}")
        merged = {**self.role_default.model_dump(exclude_none=True), **role_settings.model_dump(exclude_none=True)}
        merged["extra_body"] = {**self.role_default.extra_body, **role_settings.extra_body}
        merged.setdefault("temperature", _TEMPERATURES[role])
        return RoleSettings(**merged)

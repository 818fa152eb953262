"""Settings of what is measured; each has its reason in docs/method.md."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

Share = Annotated[float, Field(ge=0, le=1)]


class Settings(BaseModel):
    """Frozen, complete and strict: an unknown name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _a_bool_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        # Python and pydantic take true for 1; in a YAML it is a slip.
        wanted = _types_in(cls.model_fields[str(info.field_name)].annotation)
        if wanted & {int, float} and not wanted & {bool, Any} and _holds_bool(value):
            raise PydanticCustomError("bool_for_number", "Input should be a number, not true or false")
        return value


def _types_in(annotation: Any) -> set[Any]:
    parts = get_args(annotation)
    return set().union(*map(_types_in, parts)) if parts else {annotation}


def _holds_bool(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds_bool, value.values()))
    return isinstance(value, bool) or (isinstance(value, list | tuple) and any(map(_holds_bool, value)))


class PairsSetting(StrEnum):
    """Which reference pairs the objective counts."""

    TAIL_WEIGHTED = "tail_weighted"
    TAIL_TOUCHING = "tail_touching"
    RUBRIC_TAIL = "rubric_tail"


class ObjectiveSettings(Settings):
    """The objective (docs/method.md §4)."""

    pairs: PairsSetting = PairsSetting.TAIL_WEIGHTED
    """Which pairs count: all, weighted toward the tail; those touching the reference tail; those in the rubric's own tail."""
    beta: float = Field(default=0.5, gt=0)
    """Temperature of the tail weights `exp(u / beta)`; smaller looks harder at the tail."""
    tail_fraction: Share = 0.25
    """Share of a prompt's candidates that form the tail; never fewer than 2."""
    lambda_var: float = Field(default=0.2, ge=0)
    """Penalty on the vote variance of tail candidates."""
    mu_diverse: float = Field(default=0.25, ge=0)
    """Reward for being right on pairs from different sources."""
    pair_confidence_prior: float = Field(default=8.0, ge=0)
    """Pairs' worth of doubt that pulls an accuracy toward chance; 0 turns it off."""
    tie_credit: Share = 0.5
    """What a pair earns that the rubric ties or cannot score."""
    tie_tolerance: float = Field(default=1e-8, ge=0)
    """Largest difference of two scores that is a tie."""


class Scale(StrEnum):
    """The scale on which a verifier grades; `auto` reads a whole reply and guesses."""

    FIVE = "0-5"
    UNIT = "0-1"
    BINARY = "binary"
    AUTO = "auto"


class Aggregate(StrEnum):
    """How the votes for one criterion and candidate become one grade."""

    MEAN = "mean"
    MEDIAN = "median"
    MAJORITY = "majority"


class Grading(StrEnum):
    """Which criteria share a request."""

    POOLED = "pooled"
    PER_RUBRIC = "per_rubric"
    PER_CRITERION = "per_criterion"


class GradingSettings(Settings):
    """The protocol of grading (docs/method.md §2 and §7); a rubric cannot change it."""

    scale: Scale = Scale.FIVE
    """The scale that the verifier is asked for; grades are kept as 0..1."""
    allow_not_applicable: bool = False
    """Whether the verifier may answer that a criterion does not apply."""
    num_votes: int = Field(default=1, ge=1, le=32)
    """Independent gradings of each criterion and candidate during the search."""
    finalist_votes: int = Field(default=1, ge=0, le=32)
    """Fresh gradings of the finalists and of the initial rubric before the best is named; 0 skips them."""
    holdout_votes: int = Field(default=1, ge=1, le=32)
    """Gradings of the hidden candidates at the end."""
    aggregate: Aggregate = Aggregate.MEAN
    """How votes become one grade."""
    grading: Grading = Grading.POOLED
    """Which criteria share a request: those of all siblings, of one rubric, or none."""
    criteria_per_call: int = Field(default=10, ge=1, le=100)
    """Most criteria in one pooled request."""


class HoldoutSettings(Settings):
    """What is hidden from the search (docs/method.md §5)."""

    holdout_fraction: float = Field(default=0.25, ge=0, le=0.5)
    """Share of a prompt's candidates that the search may not see; 0 turns it off."""
    holdout_seed: int = Field(default=7, ge=0)
    """Chooses which candidates are hidden; the same for all searches over a dataset."""


class ResponseSettings(Settings):
    """Who answers prompts that have too few candidates; nobody, unless models are named."""

    response_models: tuple[str, ...] = ()
    """Models that answer prompts with fewer than two candidates; many models, one sample each, are best."""
    responses_per_model: int = Field(default=1, ge=1, le=100)
    """Responses sampled of each of these models."""

    @model_validator(mode="after")
    def _the_pool_can_be_used(self) -> Self:
        names = self.response_models
        if blank := [name for name in names if not name.strip()]:
            raise ValueError(f"response_models names {blank[0]!r}, which is no model")
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"response_models names {repeated} twice; raise responses_per_model instead")
        if len(names) * self.responses_per_model == 1:
            raise ValueError("response_models gives a single response; two are needed, so name more models or samples")
        return self

    @property
    def samples(self) -> int:
        """Return how many responses a prompt without enough of them gets; 0 without a pool."""
        return len(self.response_models) * self.responses_per_model


class JudgeSetting(StrEnum):
    """Where the reference comes from; `auto` takes ranks, else qualities, else the judge."""

    AUTO = "auto"
    RANK = "rank"
    QUALITY = "quality"
    MODEL = "model"


class ReferenceSettings(Settings):
    """What is held as true (docs/method.md §3)."""

    judge: JudgeSetting = JudgeSetting.AUTO
    """Where preferences come from."""
    pairs_per_candidate: float = Field(default=3.0, gt=0)
    """Judged pairs for each candidate of a prompt."""
    max_pairs: int | None = Field(default=None, ge=1)
    """Most judged pairs for one prompt; by default `pairs_per_candidate` times its candidates."""

    @model_validator(mode="after")
    def _a_design_can_be_connected(self) -> Self:
        if self.pairs_per_candidate < 1 and self.max_pairs is None:
            raise ValueError(f"pairs_per_candidate is {self.pairs_per_candidate}; at least 1 connects all candidates")
        return self

"""Settings of the reference, grading, held-out candidates and the objective; docs/method.md explains each."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

Share = Annotated[float, Field(ge=0, le=1)]


class Settings(BaseModel):
    """Base class of settings: frozen, and an unknown name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _reject_bool_for_number(cls, value: Any, info: ValidationInfo) -> Any:
        # Pydantic accepts true as 1; in a settings file it is a mistake.
        types = _types_in(cls.model_fields[str(info.field_name)].annotation)
        if types & {int, float} and not types & {bool, Any} and _contains_bool(value):
            raise PydanticCustomError("bool_for_number", "Input should be a number, not true or false")
        return value


def _types_in(annotation: Any) -> set[Any]:
    """Return the plain types inside an annotation, such as {int, NoneType} for `int | None`."""
    parts = get_args(annotation)
    return set().union(*map(_types_in, parts)) if parts else {annotation}


def _contains_bool(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_contains_bool, value.values()))
    return isinstance(value, bool) or (isinstance(value, list | tuple) and any(map(_contains_bool, value)))


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
    """Temperature of the tail weights `exp(u / beta)`; a smaller value puts more weight on the tail."""
    tail_fraction: Share = 0.25
    """Share of a prompt's candidates that form the tail, at least 2 candidates."""
    lambda_var: float = Field(default=0.2, ge=0)
    """Weight of the penalty on the variance between votes on tail candidates."""
    mu_diverse: float = Field(default=0.25, ge=0)
    """Weight of the accuracy on pairs of candidates from different sources."""
    pair_confidence_prior: float = Field(default=8.0, ge=0)
    """Number of pairs at which an accuracy is pulled halfway toward chance; 0 turns this off."""
    tie_credit: Share = 0.5
    """Credit of a pair that the rubric ties or cannot score."""
    tie_tolerance: float = Field(default=1e-8, ge=0)
    """Largest difference between two scores that counts as a tie."""


class Scale(StrEnum):
    """The scale on which a verifier grades; `auto` infers it from each reply."""

    FIVE = "0-5"
    UNIT = "0-1"
    BINARY = "binary"
    AUTO = "auto"


class Aggregate(StrEnum):
    """How the votes on one criterion and candidate are combined into one grade."""

    MEAN = "mean"
    MEDIAN = "median"
    MAJORITY = "majority"


class Grading(StrEnum):
    """Which criteria share a request."""

    POOLED = "pooled"
    PER_RUBRIC = "per_rubric"
    PER_CRITERION = "per_criterion"


class GradingSettings(Settings):
    """How candidates are graded (docs/method.md §2 and §7); the same for all rubrics."""

    scale: Scale = Scale.FIVE
    """Scale on which the verifier grades; grades are stored as 0..1."""
    allow_not_applicable: bool = False
    """Whether the verifier may answer that a criterion does not apply."""
    num_votes: int = Field(default=1, ge=1, le=32)
    """Independent gradings of each criterion and candidate during the search."""
    finalist_votes: int = Field(default=1, ge=0, le=32)
    """Additional gradings of the finalists and the initial rubric before the best is chosen; 0 skips them."""
    holdout_votes: int = Field(default=1, ge=1, le=32)
    """Gradings of the hidden candidates at the end."""
    aggregate: Aggregate = Aggregate.MEAN
    """How votes are combined into one grade."""
    grading: Grading = Grading.POOLED
    """Which criteria share a request: those of all rubrics, those of one rubric, or none."""
    criteria_per_call: int = Field(default=10, ge=1, le=100)
    """Maximum number of criteria in one request."""


class HoldoutSettings(Settings):
    """Which candidates are hidden from the search (docs/method.md §5)."""

    holdout_fraction: float = Field(default=0.25, ge=0, le=0.5)
    """Share of a prompt's candidates that are hidden from the search; 0 hides none."""
    holdout_seed: int = Field(default=7, ge=0)
    """Seed that chooses the hidden candidates; the same for all searches of a dataset."""


class ResponseSettings(Settings):
    """Models that write candidates for prompts with too few; by default none do."""

    response_models: tuple[str, ...] = ()
    """Models that answer prompts with fewer than two candidates; use several models with one sample each if possible."""
    responses_per_model: int = Field(default=1, ge=1, le=100)
    """Responses sampled from each of these models."""

    @model_validator(mode="after")
    def _pool_is_usable(self) -> Self:
        names = self.response_models
        if blank := [name for name in names if not name.strip()]:
            raise ValueError(f"response_models contains {blank[0]!r}, which is not a model name")
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"response_models contains {repeated} twice; raise responses_per_model instead")
        if len(names) * self.responses_per_model == 1:
            raise ValueError(
                "response_models gives 1 response per prompt; at least 2 are needed: add models or samples"
            )
        return self

    @property
    def samples(self) -> int:
        """Return the number of responses sampled for a prompt with too few candidates; 0 without models."""
        return len(self.response_models) * self.responses_per_model


class JudgeSetting(StrEnum):
    """Source of preferences; `auto` uses ranks if all candidates have one, else qualities, else the judge model."""

    AUTO = "auto"
    RANK = "rank"
    QUALITY = "quality"
    MODEL = "model"


class ReferenceSettings(Settings):
    """Preferences between candidates (docs/method.md §3)."""

    judge: JudgeSetting = JudgeSetting.AUTO
    """Source of the preferences."""
    pairs_per_candidate: float = Field(default=3.0, gt=0)
    """Number of judged pairs per candidate of a prompt."""
    max_pairs: int | None = Field(default=None, ge=1)
    """Maximum number of judged pairs of one prompt; by default `pairs_per_candidate` times its candidates."""

    @model_validator(mode="after")
    def _pairs_can_connect_all_candidates(self) -> Self:
        if self.pairs_per_candidate < 1 and self.max_pairs is None:
            raise ValueError(f"pairs_per_candidate is {self.pairs_per_candidate}; at least 1 connects all candidates")
        return self

"""A rubric and its criteria."""

import unicodedata
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from autosr_lib.domain.fingerprint import fingerprint


class Criterion(BaseModel):
    """One scoreable statement; its key depends on what it says, not on its weight, id or neighbours."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    criterion_id: str = Field(min_length=1)
    text: str = Field(min_length=1)
    weight: float = Field(default=1.0, ge=0, allow_inf_nan=False, strict=True)
    criterion_type: str = "quality"
    check_points: tuple[str, ...] = ()
    positive_examples: tuple[str, ...] = ()
    negative_examples: tuple[str, ...] = ()
    measure: str | None = Field(
        default=None, description="A named function of (prompt, candidate) to 0..1 that grades without a model."
    )

    @cached_property
    def key(self) -> str:
        """Return the name under which this criterion's grades are kept (docs/method.md §1)."""
        return fingerprint(
            _normalised(self.text),
            [_normalised(point) for point in self.check_points],
            [_normalised(example) for example in self.positive_examples],
            [_normalised(example) for example in self.negative_examples],
            self.measure,
        )


class Rubric(BaseModel):
    """Weighted criteria for one prompt. Never edited: a mutation makes a new one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    criteria: tuple[Criterion, ...] = Field(min_length=1)
    rubric_id: str = ""
    metadata: Mapping[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        ids = [criterion.criterion_id for criterion in self.criteria]
        if repeated := sorted({i for i in ids if ids.count(i) > 1}):
            raise ValueError(f"criterion ids {repeated} repeat; give each criterion its own id")
        return self

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Return the criteria's keys, in the order of the criteria."""
        return tuple(criterion.key for criterion in self.criteria)

    @cached_property
    def weights(self) -> tuple[float, ...]:
        """Return the weights normalised to sum 1, in the order of the criteria; all zero means uniform."""
        given = [criterion.weight for criterion in self.criteria]
        if abs(sum(given) - 1) < 1e-9:
            return tuple(given)  # normalising again would move the last digits, and with them what depends on them
        largest = max(given)
        if largest == 0:
            return tuple(1 / len(given) for _ in given)
        scaled = [weight / largest for weight in given]  # the sum of huge weights could overflow
        total = sum(scaled)
        return tuple(weight / total for weight in scaled)

    @cached_property
    def weight_by_key(self) -> Mapping[str, float]:
        """Return the normalised weight of each criterion key; criteria that say the same thing are added up."""
        weights: dict[str, float] = {}
        for key, weight in zip(self.keys, self.weights, strict=True):
            weights[key] = weights.get(key, 0.0) + weight
        return weights

    @cached_property
    def fingerprint(self) -> str:
        """Return the name of the sorted (criterion key, weight to 4 decimals); ids and metadata are not in it."""
        return fingerprint(sorted((key, f"{weight:.4f}") for key, weight in self.weight_by_key.items()))


def _normalised(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())

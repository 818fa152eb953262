"""A rubric and its criteria."""

import unicodedata
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from autosr_lib.domain.fingerprint import fingerprint


class Criterion(BaseModel):
    """A statement by which a verifier grades candidates."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    criterion_id: str = Field(min_length=1)
    text: str = Field(min_length=1)
    weight: float = Field(default=1.0, ge=0, allow_inf_nan=False, strict=True)
    """Weight relative to the other criteria of the rubric."""
    criterion_type: str = "quality"
    check_points: tuple[str, ...] = ()
    positive_examples: tuple[str, ...] = ()
    negative_examples: tuple[str, ...] = ()
    measure: str | None = Field(
        default=None, description="A named function of (prompt, candidate) to 0..1 that grades without a model."
    )

    @cached_property
    def key(self) -> str:
        """Return the criterion key, under which grades are stored (docs/method.md §1).

        It depends on the texts and the measure only, ignoring case and spacing; not on the id, the type or the weight.

        >>> clear = Criterion(criterion_id="c1", text="It is clear.")
        >>> clear.key == Criterion(criterion_id="c2", text="it is  CLEAR.", weight=2.0).key
        True
        """
        return fingerprint(
            _normalised(self.text),
            [_normalised(point) for point in self.check_points],
            [_normalised(example) for example in self.positive_examples],
            [_normalised(example) for example in self.negative_examples],
            self.measure,
        )


class Rubric(BaseModel):
    """Weighted criteria for one prompt. Immutable: a mutation makes a new rubric.

    >>> weights = {"clear": 3.0, "short": 1.0}
    >>> Rubric(
    ...     criteria=[Criterion(criterion_id=name, text=f"It is {name}.", weight=w) for name, w in weights.items()]
    ... ).weights
    (0.75, 0.25)
    """

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
        """Return the keys of the criteria, in their order."""
        return tuple(criterion.key for criterion in self.criteria)

    @cached_property
    def weights(self) -> tuple[float, ...]:
        """Return the weights normalised to sum 1, in the order of the criteria; uniform if all weights are 0."""
        weights = [criterion.weight for criterion in self.criteria]
        if abs(sum(weights) - 1) < 1e-9:
            return tuple(weights)  # already normalised; doing it again would change the last digits
        largest = max(weights)
        if largest == 0:
            return tuple(1 / len(weights) for _ in weights)
        scaled = [weight / largest for weight in weights]  # the sum of huge weights could overflow
        total = sum(scaled)
        return tuple(weight / total for weight in scaled)

    @cached_property
    def weight_by_key(self) -> Mapping[str, float]:
        """Return the normalised weight of each criterion key; the weights of criteria with the same key are summed."""
        weights: dict[str, float] = {}
        for key, weight in zip(self.keys, self.weights, strict=True):
            weights[key] = weights.get(key, 0.0) + weight
        return weights

    @cached_property
    def fingerprint(self) -> str:
        """Return the fingerprint of the criterion keys and their weights to 4 decimals; ids and metadata do not count."""
        return fingerprint(sorted((key, f"{weight:.4f}") for key, weight in self.weight_by_key.items()))


def _normalised(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())

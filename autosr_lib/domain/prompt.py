"""A prompt and the candidates that answer it."""

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from autosr_lib.domain.fingerprint import fingerprint


class Candidate(BaseModel):
    """A response to a prompt.

    >>> Candidate(candidate_id="c1", text="Because.", metadata={"rank": 2}).rank
    2
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    candidate_id: str = Field(min_length=1)
    text: str
    source: str = ""
    """Where the response comes from, such as the name of a model."""
    metadata: Mapping[str, Any] = Field(default_factory=dict)
    """Labels (`rank`, `quality`) and other values; never sent to a model."""

    @property
    def rank(self) -> int | None:
        """Return the labelled rank, 1 for the best, or None."""
        rank = self.metadata.get("rank")
        return None if rank is None or isinstance(rank, bool) else int(rank)

    @property
    def quality(self) -> float | None:
        """Return the labelled quality, higher is better, or None."""
        quality = self.metadata.get("quality")
        if quality is None or isinstance(quality, bool) or not math.isfinite(quality):
            return None
        return float(quality)


class Prompt(BaseModel):
    """The text of a task, with the candidates that answer it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt_id: str = Field(min_length=1)
    prompt: str
    candidates: tuple[Candidate, ...]
    metadata: Mapping[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _candidate_ids_are_unique(self) -> Self:
        ids = [candidate.candidate_id for candidate in self.candidates]
        if len(set(ids)) < len(ids):
            repeated = sorted({i for i in ids if ids.count(i) > 1})
            raise ValueError(f"candidate ids {repeated} repeat; give each candidate of a prompt its own id")
        return self

    @cached_property
    def fingerprint(self) -> str:
        """Return the fingerprint of the complete content, including labels."""
        return fingerprint(self.model_dump(mode="json"))

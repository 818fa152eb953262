"""Worlds in which the true quality is known: candidates with latent attributes, some of which determine it.

Of a prompt's 16 attributes, 5 are on the surface (strong candidates have high values of all of them), 6 are deep (4 of
these decide among strong candidates) and 5 are irrelevant. A rubric with only surface criteria separates strong from weak
candidates, but cannot order the tail.
"""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Final

import numpy as np

from autosr_lib.domain.prompt import Candidate, Prompt
from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.evaluation.arrays import BoolArray, FloatArray, IntArray

SURFACE: Final = tuple(f"surface {i}" for i in range(5))
DEEP: Final = tuple(f"deep {i}" for i in range(6))
IRRELEVANT: Final = tuple(f"irrelevant {i}" for i in range(5))
ATTRIBUTES: Final = SURFACE + DEEP + IRRELEVANT
DEEP_WEIGHTS: Final = np.array([0.35, 0.28, 0.22, 0.15, 0.0, 0.0])
"""How much each deep attribute matters; the last two do not."""
TRUE_WEIGHTS: Final = np.concatenate([np.full(5, 0.5 / 5), 0.5 * DEEP_WEIGHTS, np.zeros(5)])
TAIL_FRACTION: Final = 0.25
FRESH: Final = 200


@dataclass(frozen=True)
class WorldSettings:
    """Properties of a world; `seed` determines everything else."""

    seed: int = 0
    candidates: int = 12
    noise: float = 0.6
    """Standard deviation of a grade on the scale 0 to 5."""
    strong_share: float = 0.5
    is_ranked: bool = True
    """Whether candidates are labelled with their true rank; otherwise the judge is asked."""
    wordings: int = 3
    """Number of wordings of an attribute; each is a criterion of its own, with its own grading noise."""


class World:
    """One prompt with its candidates, and fresh candidates to measure rubrics on."""

    def __init__(self, settings: WorldSettings) -> None:
        self.settings = settings
        rng = np.random.default_rng([settings.seed, 1])
        self.attributes = draw_attributes(rng, settings.candidates, settings.strong_share)
        self.fresh = draw_attributes(rng, FRESH, settings.strong_share)
        self.positions = {self.text(i): i for i in range(settings.candidates)}

    def text(self, candidate: int) -> str:
        """Return the text of a candidate; it says nothing about its quality."""
        return f"response {digest('text', self.settings.seed, int(candidate)):016x}"

    @property
    def prompt_id(self) -> str:
        """Return the id of the world's prompt."""
        return f"planted-{self.settings.seed}"

    @cached_property
    def prompt(self) -> Prompt:
        """Return the prompt for a search."""
        ranks = (-self.quality).argsort().argsort() + 1
        return Prompt(
            prompt_id=self.prompt_id,
            prompt=f"context {self.settings.seed}",
            candidates=tuple(
                Candidate(
                    candidate_id=f"c{i}",
                    text=self.text(i),
                    source=f"source {i % 3}",
                    metadata={"rank": int(rank)} if self.settings.is_ranked else {},
                )
                for i, rank in enumerate(ranks)
            ),
        )

    @cached_property
    def quality(self) -> FloatArray:
        """Return (candidates,) the true quality of the prompt's candidates, 0..1."""
        return np.asarray(self.attributes @ TRUE_WEIGHTS)

    @cached_property
    def pairs(self) -> tuple[IntArray, IntArray]:
        """Return every pair of the prompt's candidates as (better, worse)."""
        return ordered_pairs(self.quality)

    def grade(self, criterion: Criterion, candidate: int, vote: int) -> float:
        """Return a noisy grade in 0..1 that depends on the arguments alone."""
        true = 5 * self.attributes[candidate, attribute_of(criterion)]
        noise = self.settings.noise * normal(self.settings.seed, self.text(candidate), criterion.key, vote)
        return float(np.clip(true + noise, 0, 5) / 5)

    def true_accuracy(self, rubric: Rubric, *, inside: bool = True) -> float:
        """Return the share of fresh tail pairs that the rubric orders rightly when graded without noise.

        Args:
            rubric: criteria of this world.
            inside: whether to count pairs inside the true tail (the best quarter of 200 fresh candidates); otherwise
                pairs that touch it, which also measures how well the tail is separated from the rest.
        """
        return accuracy_of_weights(self.fresh, attribute_weights(rubric), inside=inside)


def draw_attributes(rng: np.random.Generator, n: int, strong_share: float) -> FloatArray:
    """Return (n, 16) latent attributes in 0..1, columns as in `ATTRIBUTES`."""
    is_strong = np.zeros(n, dtype=bool)
    is_strong[rng.permutation(n)[: round(strong_share * n)]] = True
    surface = np.where(is_strong[:, None], rng.uniform(0.85, 1, (n, 5)), rng.uniform(0.2, 0.7, (n, 5)))
    deep = np.clip(rng.normal(0.5, 0.2, (n, 6)), 0, 1)
    irrelevant = np.clip(rng.normal(0.5, 0.25, (n, 5)), 0, 1)
    return np.hstack([surface, deep, irrelevant])


def ordered_pairs(quality: FloatArray) -> tuple[IntArray, IntArray]:
    """Return all pairs as (better, worse)."""
    order = np.argsort(-quality, kind="stable")
    above, below = np.triu_indices(len(quality), 1)
    return order[above], order[below]


def tail_of(quality: FloatArray) -> BoolArray:
    """Return (n,) whether each candidate is in the best quarter."""
    size = max(2, math.ceil(TAIL_FRACTION * len(quality)))
    return np.asarray(np.argsort(np.argsort(-quality)) < size)


def accuracy_of_weights(attributes: FloatArray, weights: FloatArray, *, inside: bool = True) -> float:
    """Return the share of true tail pairs that (16,) weights on noise-free attributes order rightly; a tie counts half."""
    quality = attributes @ TRUE_WEIGHTS
    better, worse = ordered_pairs(quality)
    is_tail = tail_of(quality)
    is_counted = is_tail[better] & is_tail[worse] if inside else is_tail[better] | is_tail[worse]
    margin = (attributes @ weights)[better[is_counted]] - (attributes @ weights)[worse[is_counted]]
    return float(np.where(np.abs(margin) <= 1e-8, 0.5, margin > 0).mean())


_TEXT = re.compile(r"wording (\d+) of (.+)")
_POSITIONS: Mapping[str, int] = {name: i for i, name in enumerate(ATTRIBUTES)}


def criterion_for(attribute: int, wording: int = 0, weight: float = 1.0) -> Criterion:
    """Return the criterion for an attribute, in one of its wordings."""
    name = ATTRIBUTES[attribute]
    return Criterion(
        criterion_id=f"{name.replace(' ', '-')}-{wording}", text=f"wording {wording} of {name}", weight=weight
    )


def attribute_of(criterion: Criterion) -> int:
    """Return the index in `ATTRIBUTES` of the attribute of a criterion."""
    match = _TEXT.fullmatch(criterion.text)
    if match is None:
        raise ValueError(
            f"criterion {criterion.text!r} does not belong to a planted world; create criteria with criterion_for()"
        )
    return _POSITIONS[match[2]]


def attribute_weights(rubric: Rubric) -> FloatArray:
    """Return (16,) the weight that a rubric gives each attribute, summed over its wordings."""
    weights = np.zeros(len(ATTRIBUTES))
    for criterion, weight in zip(rubric.criteria, rubric.weights, strict=True):
        weights[attribute_of(criterion)] += weight
    return weights


def digest(*parts: object) -> int:
    """Return a 64-bit hash of the parts."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "big")


def uniform(*parts: object) -> float:
    """Return a number in (0, 1) that depends on the parts alone."""
    return (digest("uniform", *parts) + 0.5) / 2**64


def normal(*parts: object) -> float:
    """Return a standard normal number that depends on the parts alone."""
    # The extreme hashes would round to probability 0 or 1.
    return NormalDist().inv_cdf(min(max(uniform(*parts), 1e-12), 1 - 1e-12))

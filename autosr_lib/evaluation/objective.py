"""The objective (docs/method.md §4): how well rubrics order the pairs that the reference orders."""

from typing import Final, NamedTuple

import numpy as np

from autosr_lib.evaluation.arrays import BoolArray, FloatArray
from autosr_lib.evaluation.reference import Reference, tail_size
from autosr_lib.evaluation.scoring import Scores
from autosr_lib.evaluation.settings import ObjectiveSettings, PairsSetting

PLAIN_TIE_CREDIT: Final = 0.5
"""What a pair that the rubric ties earns in accuracies that are shown, whatever the objective gives it."""


class Evaluation(NamedTuple):
    """What one rubric is worth on the pairs of one prompt; every accuracy is 0..1, 0.5 is chance.

    `objective`, `tail_acc` and `diverse_tail_acc` are shrunk toward chance: they rank rubrics of one prompt and are
    not accuracies to be shown. The others are plain and the same in every setting: a rubric's tie earns half, in
    `strict_tail_accuracy` nothing.
    """

    objective: float
    tail_acc: float
    tail_var: float
    diverse_tail_acc: float
    pair_accuracy: float
    rubric_tail_accuracy: float
    strict_tail_accuracy: float
    pairs: int
    effective_pairs: float
    top_margin: float
    """Difference of the two highest scores, negative when the reference has them the other way round."""
    has_right_top: bool
    """Whether all candidates on top, tied or alone, are ones that the reference has on top."""
    is_complete: bool
    """Whether nothing that the rubric needs is ungraded."""

    @property
    def merit(self) -> tuple[bool, float]:
        """Return what individuals are ordered by: an incomplete one never displaces a complete one."""
        return self.is_complete, self.objective


def pair_weights(reference: Reference, settings: ObjectiveSettings) -> FloatArray:
    """Return (P,) the weight of each reference-ordered pair, where it does not depend on the rubric.

    `tail_weighted`: `exp(u_better / beta)`, after Theorem 1 of arXiv 2509.21500, in units of the heaviest: a small
    `beta` would overflow, and only proportions matter. `tail_touching`: 1 if the pair
    touches the reference tail, else 0. For `rubric_tail`, which depends on each rubric, all ones.
    """
    if settings.pairs is PairsSetting.TAIL_WEIGHTED:
        quantiles = reference.quantiles[reference.better]
        return np.asarray(np.exp((quantiles - quantiles.max(initial=0.0)) / settings.beta))
    if settings.pairs is PairsSetting.TAIL_TOUCHING:
        return touches_tail(reference, settings).astype(float)
    return np.ones(len(reference.better))


def touches_tail(reference: Reference, settings: ObjectiveSettings) -> BoolArray:
    """Return (P,) whether a pair has a candidate in the reference tail."""
    tail = reference.tail(settings.tail_fraction)
    return np.asarray(tail[reference.better] | tail[reference.worse])


def margins(scores: FloatArray, reference: Reference) -> FloatArray:
    """Return (rubrics, P) how far the better candidate's score is above the other's, NaN where one is unscored."""
    return np.asarray(scores[:, reference.better] - scores[:, reference.worse])


def pair_credit(signed_margins: FloatArray, settings: ObjectiveSettings) -> FloatArray:
    """Return (rubrics, P) 1 for a pair in the reference's order, 0 for the wrong order, `tie_credit` for the others.

    A pair that is tied or has an unscored candidate stays in the denominator: a rubric must not gain by leaving hard
    candidates unscored.
    """
    credit = np.full(signed_margins.shape, settings.tie_credit)
    with np.errstate(invalid="ignore"):
        credit[signed_margins > settings.tie_tolerance] = 1.0
        credit[signed_margins < -settings.tie_tolerance] = 0.0
    return credit


def evaluate(scores: Scores, reference: Reference, settings: ObjectiveSettings) -> list[Evaluation]:
    """Return the evaluation of every rubric; `scores` holds (rubrics, N) for the N candidates of the reference."""
    rubrics = len(scores.score)
    signed = margins(scores.score, reference)
    credit = pair_credit(signed, settings)
    plain = pair_credit(signed, settings.model_copy(update={"tie_credit": PLAIN_TIE_CREDIT}))
    strict = np.where(np.nan_to_num(signed) > settings.tie_tolerance, 1.0, 0.0)
    in_rubric_tail = _pairs_in_rubric_tail(scores.score, reference, settings)
    if settings.pairs is PairsSetting.RUBRIC_TAIL:
        weights = in_rubric_tail.astype(float)
    else:
        weights = np.broadcast_to(pair_weights(reference, settings), signed.shape)
    touching = touches_tail(reference, settings).astype(float)
    tail_acc, effective = _shrunk_accuracy(credit, weights, settings.pair_confidence_prior)
    diverse = weights * reference.is_diverse
    diverse_acc, _ = _shrunk_accuracy(credit, diverse, settings.pair_confidence_prior)
    diverse_acc = np.where(diverse.sum(axis=1) > 0, diverse_acc, tail_acc)
    tail = reference.tail(settings.tail_fraction)
    tail_var = scores.variance[:, tail].mean(axis=1) if tail.any() else np.zeros(rubrics)
    objective = tail_acc - settings.lambda_var * tail_var + settings.mu_diverse * diverse_acc
    top_margin, has_right_top = _top(scores.score, reference, settings.tie_tolerance)
    ones = np.ones_like(credit)
    columns = {
        "objective": objective,
        "tail_acc": tail_acc,
        "tail_var": tail_var,
        "diverse_tail_acc": diverse_acc,
        "pair_accuracy": _plain_accuracy(plain, ones),
        "rubric_tail_accuracy": _plain_accuracy(plain, in_rubric_tail.astype(float)),
        "strict_tail_accuracy": _plain_accuracy(strict, np.broadcast_to(touching, strict.shape)),
        "effective_pairs": effective,
        "top_margin": top_margin,
    }
    lists = {name: column.tolist() for name, column in columns.items()}
    counted: list[int] = (weights > 0).sum(axis=1).tolist()
    complete: list[bool] = np.asarray(scores.is_complete.all(axis=1)).tolist()
    return [
        Evaluation(
            **{name: column[i] for name, column in lists.items()},
            pairs=counted[i],
            has_right_top=bool(has_right_top[i]),
            is_complete=complete[i],
        )
        for i in range(rubrics)
    ]


def shrink(accuracy: FloatArray, effective_pairs: FloatArray, prior: float) -> FloatArray:
    """Return `0.5 + n/(n + prior) * (x - 0.5)`: an accuracy on few pairs says little (docs/method.md §4)."""
    trust = np.where(effective_pairs > 0, effective_pairs / np.maximum(effective_pairs + prior, 1e-300), 0.0)
    return np.asarray(0.5 + trust * (accuracy - 0.5))


def _shrunk_accuracy(credit: FloatArray, weights: FloatArray, prior: float) -> tuple[FloatArray, FloatArray]:
    total, squares = weights.sum(axis=1), (weights**2).sum(axis=1)
    effective = np.where(squares > 0, total**2 / np.where(squares > 0, squares, 1.0), 0.0)
    return shrink(_plain_accuracy(credit, weights), effective, prior), effective


def _plain_accuracy(credit: FloatArray, weights: FloatArray) -> FloatArray:
    """Return (rubrics,) the weighted share of credit, 0.5 without any pair."""
    total = weights.sum(axis=1)
    earned = (credit * weights).sum(axis=1)
    return np.where(total > 0, earned / np.where(total > 0, total, 1.0), 0.5)


def _pairs_in_rubric_tail(scores: FloatArray, reference: Reference, settings: ObjectiveSettings) -> BoolArray:
    """Return (rubrics, P) whether both candidates of a pair are in the rubric's own tail."""
    n = scores.shape[1]
    order = np.argsort(-np.nan_to_num(scores, nan=-1.0), axis=1, kind="stable")
    in_tail = np.zeros(scores.shape, dtype=bool)
    np.put_along_axis(in_tail, order[:, : tail_size(n, settings.tail_fraction)], True, axis=1)
    return np.asarray(in_tail[:, reference.better] & in_tail[:, reference.worse])


def _top(scores: FloatArray, reference: Reference, tie_tolerance: float) -> tuple[FloatArray, BoolArray]:
    """Return (rubrics,) the signed margin of the top two, and whether what is on top is best by the reference.

    Of candidates that share the top all must be, or a rubric that ties everything would be right where the dataset
    lists the best candidate first.
    """
    rubrics, n = scores.shape
    known = np.nan_to_num(scores, nan=-1.0)
    order = np.argsort(-known, axis=1, kind="stable")
    first, second = order[:, 0], order[:, min(1, n - 1)]
    rows = np.arange(rubrics)
    gap = np.nan_to_num(scores[rows, first] - scores[rows, second])
    sign = np.sign(reference.quantiles[first] - reference.quantiles[second])
    is_on_top = known >= known.max(axis=1, keepdims=True) - tie_tolerance
    is_best = reference.quantiles == reference.quantiles.max()
    return gap * sign, np.asarray((is_best | ~is_on_top).all(axis=1))

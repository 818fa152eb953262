"""The objective (docs/method.md §4): how well the scores of rubrics agree with the pairs that the reference orders."""

from typing import Final, NamedTuple

import numpy as np

from autosr_lib.evaluation.arrays import BoolArray, FloatArray
from autosr_lib.evaluation.reference import Reference, tail_size
from autosr_lib.evaluation.scoring import Scores
from autosr_lib.evaluation.settings import ObjectiveSettings, PairsSetting

PLAIN_TIE_CREDIT: Final = 0.5
"""Credit of a pair that the rubric ties in the accuracies that are shown; `tie_credit` applies to the objective only."""


class Evaluation(NamedTuple):
    """How well one rubric orders the pairs of one prompt; every accuracy is 0..1, 0.5 is chance.

    `objective`, `tail_acc` and `diverse_tail_acc` rank the rubrics of one prompt. They are shrunk toward chance, so
    they are not shown as accuracies. `pair_accuracy`, `rubric_tail_accuracy` and `strict_tail_accuracy` are shown:
    they are not shrunk and do not depend on the settings of the objective's credit.
    """

    objective: float
    """Weighted accuracy minus the variance penalty plus the reward for diverse pairs; may lie outside 0..1."""
    tail_acc: float
    """Accuracy on the pairs that the objective counts, shrunk."""
    tail_var: float
    """Mean variance between votes over the tail candidates."""
    diverse_tail_acc: float
    """Like `tail_acc`, over pairs from different sources; equal to it if there are none."""
    pair_accuracy: float
    """Accuracy on all pairs; a pair that the rubric ties earns half."""
    rubric_tail_accuracy: float
    """Accuracy on the pairs within the rubric's own tail; a pair that the rubric ties earns half."""
    strict_tail_accuracy: float
    """Accuracy on the pairs that touch the reference tail; a pair that the rubric ties earns nothing."""
    pairs: int
    """Pairs that the objective counts."""
    effective_pairs: float
    """Effective number of these pairs given their weights: `(sum w)^2 / sum w^2`."""
    top_margin: float
    """Difference of the two highest scores, negative if the reference orders these candidates the other way."""
    has_right_top: bool
    """Whether all candidates with the highest score are best by the reference."""
    is_complete: bool
    """Whether every grade that the rubric needs is there."""

    @property
    def merit(self) -> tuple[bool, float]:
        """Return the sort key of rubrics: complete ones before incomplete ones, then by objective."""
        return self.is_complete, self.objective


def pair_weights(reference: Reference, settings: ObjectiveSettings) -> FloatArray:
    """Return (P,) the weight of each pair that the reference orders, where it does not depend on the rubric.

    - `tail_weighted`: `exp(u_better / beta)`, after Theorem 1 of arXiv 2509.21500, divided by the largest weight. Only
      proportions matter, and a small `beta` would overflow.
    - `tail_touching`: 1 if the pair touches the reference tail, else 0.
    - `rubric_tail`: 1; the pairs that count differ between rubrics and are chosen in `evaluate`.

    >>> reference = Reference(np.array([1.0, 0.5, 0.0]), np.array([0, 0, 1]), np.array([1, 2, 2]), np.zeros(3, bool))
    >>> pair_weights(reference, ObjectiveSettings(beta=0.5)).round(3).tolist()
    [1.0, 1.0, 0.368]
    """
    if settings.pairs is PairsSetting.TAIL_WEIGHTED:
        quantiles = reference.quantiles[reference.better]
        return np.asarray(np.exp((quantiles - quantiles.max(initial=0.0)) / settings.beta))
    if settings.pairs is PairsSetting.TAIL_TOUCHING:
        return touches_tail(reference, settings).astype(float)
    return np.ones(len(reference.better))


def touches_tail(reference: Reference, settings: ObjectiveSettings) -> BoolArray:
    """Return (P,) whether at least one candidate of the pair is in the reference tail."""
    tail = reference.tail(settings.tail_fraction)
    return np.asarray(tail[reference.better] | tail[reference.worse])


def margins(scores: FloatArray, reference: Reference) -> FloatArray:
    """Return (rubrics, P) the better candidate's score minus the worse one's, NaN if either is unscored.

    >>> reference = Reference(np.array([1.0, 0.0]), np.array([0]), np.array([1]), np.array([False]))
    >>> margins(np.array([[0.75, 0.25], [0.0, 0.5]]), reference).tolist()
    [[0.5], [-0.5]]
    """
    return np.asarray(scores[:, reference.better] - scores[:, reference.worse])


def pair_credit(signed_margins: FloatArray, settings: ObjectiveSettings) -> FloatArray:
    """Return (rubrics, P) the credit of each pair: 1 in the reference's order, 0 in the opposite one, else `tie_credit`.

    Tied pairs and pairs with an unscored candidate count as well. Otherwise a rubric would gain by leaving difficult
    candidates unscored.

    >>> pair_credit(np.array([[0.3, -0.3, 0.0, np.nan]]), ObjectiveSettings(tie_credit=0.5)).tolist()
    [[1.0, 0.0, 0.5, 0.5]]
    """
    credit = np.full(signed_margins.shape, settings.tie_credit)
    with np.errstate(invalid="ignore"):
        credit[signed_margins > settings.tie_tolerance] = 1.0
        credit[signed_margins < -settings.tie_tolerance] = 0.0
    return credit


def evaluate(scores: Scores, reference: Reference, settings: ObjectiveSettings) -> list[Evaluation]:
    """Return the evaluation of every rubric.

    Args:
        scores: arrays of (rubrics, N), for the N candidates of the reference in its order.
        reference: the N candidates' quantiles and the pairs that they form.
        settings: which pairs count, and how.

    >>> reference = Reference(np.array([1.0, 0.0]), np.array([0]), np.array([1]), np.array([False]))
    >>> scores = Scores(np.array([[0.75, 0.25]]), np.zeros((1, 2)), np.ones((1, 2), bool))
    >>> evaluation = evaluate(scores, reference, ObjectiveSettings())[0]
    >>> evaluation.pair_accuracy, evaluation.top_margin, evaluation.has_right_top
    (1.0, 0.5, True)
    """
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
    top_margin, has_right_top = _evaluate_top(scores.score, reference, settings.tie_tolerance)
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
    pairs: list[int] = (weights > 0).sum(axis=1).tolist()
    is_complete: list[bool] = np.asarray(scores.is_complete.all(axis=1)).tolist()
    return [
        Evaluation(
            **{name: column[i] for name, column in lists.items()},
            pairs=pairs[i],
            has_right_top=bool(has_right_top[i]),
            is_complete=is_complete[i],
        )
        for i in range(rubrics)
    ]


def shrink(accuracy: FloatArray, effective_pairs: FloatArray, prior: float) -> FloatArray:
    """Return accuracies pulled toward chance, the more the fewer pairs they rest on (docs/method.md §4).

    The formula is `0.5 + n / (n + prior) * (accuracy - 0.5)`, with n effective pairs; 0.5 for n = 0.

    >>> shrink(np.array([1.0, 1.0]), np.array([8.0, 24.0]), prior=8.0).tolist()
    [0.75, 0.875]
    """
    trust = np.where(effective_pairs > 0, effective_pairs / np.maximum(effective_pairs + prior, 1e-300), 0.0)
    return np.asarray(0.5 + trust * (accuracy - 0.5))


def _shrunk_accuracy(credit: FloatArray, weights: FloatArray, prior: float) -> tuple[FloatArray, FloatArray]:
    """Return (rubrics,) the shrunk accuracy and the effective number of pairs behind it."""
    total, squares = weights.sum(axis=1), (weights**2).sum(axis=1)
    effective = np.where(squares > 0, total**2 / np.where(squares > 0, squares, 1.0), 0.0)
    return shrink(_plain_accuracy(credit, weights), effective, prior), effective


def _plain_accuracy(credit: FloatArray, weights: FloatArray) -> FloatArray:
    """Return (rubrics,) the weighted mean of the credit, 0.5 if no pair has weight."""
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


def _evaluate_top(scores: FloatArray, reference: Reference, tie_tolerance: float) -> tuple[FloatArray, BoolArray]:
    """Return (rubrics,) `top_margin` and (rubrics,) `has_right_top` of `Evaluation`.

    All candidates that share the highest score must be best by the reference. Otherwise a rubric that ties everything
    would be right whenever the dataset lists the best candidate first.
    """
    rubrics, n = scores.shape
    filled = np.nan_to_num(scores, nan=-1.0)  # unscored candidates rank last
    order = np.argsort(-filled, axis=1, kind="stable")
    first, second = order[:, 0], order[:, min(1, n - 1)]
    rows = np.arange(rubrics)
    gap = np.nan_to_num(scores[rows, first] - scores[rows, second])
    sign = np.sign(reference.quantiles[first] - reference.quantiles[second])
    is_on_top = filled >= filled.max(axis=1, keepdims=True) - tie_tolerance
    is_best = reference.quantiles == reference.quantiles.max()
    return gap * sign, np.asarray((is_best | ~is_on_top).all(axis=1))

"""Settings, references and scores for tests of the objective."""

import numpy as np
from hypothesis import strategies as st

from autosr_lib.evaluation.arrays import FloatArray
from autosr_lib.evaluation.objective import Evaluation, evaluate
from autosr_lib.evaluation.reference import Reference, mid_rank_quantiles
from autosr_lib.evaluation.scoring import Scores
from autosr_lib.evaluation.settings import ObjectiveSettings, PairsSetting

NAN = float("nan")
TAIL_WEIGHTED, TAIL_TOUCHING, RUBRIC_TAIL = PairsSetting


def objective_settings(pairs: PairsSetting = TAIL_WEIGHTED, **changes: float) -> ObjectiveSettings:
    """Return settings with explicit values, so that tests do not depend on the defaults."""
    values = {
        "beta": 0.5,
        "tail_fraction": 0.25,
        "lambda_var": 0.2,
        "mu_diverse": 0.25,
        "pair_confidence_prior": 8.0,
        "tie_credit": 0.5,
        "tie_tolerance": 1e-8,
    }
    return ObjectiveSettings(pairs=pairs, **{**values, **changes})


PLAIN = {"pair_confidence_prior": 0.0, "mu_diverse": 0.0, "lambda_var": 0.0}
"""Settings under which the objective is the weighted share of pairs in the right order."""


def reference_of(qualities: list[float], sources: str = "") -> Reference:
    """Return the reference of candidates with these qualities; pairs in the order (0, 1), (0, 2), …, (1, 2), …"""
    quality = np.array(qualities, dtype=float)
    pairs = [(i, j) for i in range(len(quality)) for j in range(i + 1, len(quality)) if quality[i] != quality[j]]
    ordered = [(i, j) if quality[i] > quality[j] else (j, i) for i, j in pairs]
    better, worse = np.array(ordered, dtype=np.int64).reshape(-1, 2).T
    source = np.array(list(sources or "a" * len(quality)))
    return Reference(mid_rank_quantiles(quality), better, worse, source[better] != source[worse])


def scores_of(score: list[float] | FloatArray, variance: list[float] | None = None) -> Scores:
    """Return complete scores of one rubric, by default with variance 0."""
    row = np.array([score], dtype=float)
    return Scores(
        row,
        np.zeros_like(row) if variance is None else np.array([variance], dtype=float),
        np.ones_like(row, dtype=bool),
    )


def evaluation_of(
    score: list[float], reference: Reference, settings: ObjectiveSettings, variance: list[float] | None = None
) -> Evaluation:
    """Return the evaluation of one rubric with these scores."""
    return evaluate(scores_of(score, variance), reference, settings)[0]


Problem = tuple[Scores, Reference, ObjectiveSettings]


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Draw scores of some rubrics, some of them missing, with a reference and settings."""
    n, rubrics = draw(st.integers(2, 7)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    score = np.round(rng.uniform(0, 1, (rubrics, n)), draw(st.sampled_from([0, 1, 6])))
    score[rng.uniform(0, 1, score.shape) < draw(st.sampled_from([0, 0.3, 1]))] = NAN
    reference = reference_of(
        rng.integers(0, draw(st.integers(1, 6)), n).tolist(), "".join(rng.choice(list("ab"), n).tolist())
    )
    settings = objective_settings(
        draw(st.sampled_from(PairsSetting)),
        beta=draw(st.floats(1e-6, 1e6)),
        tail_fraction=draw(st.floats(0, 1)),
        lambda_var=draw(st.floats(0, 3)),
        mu_diverse=draw(st.floats(0, 3)),
        pair_confidence_prior=draw(st.floats(0, 50)),
        tie_credit=draw(st.floats(0, 1)),
        tie_tolerance=draw(st.floats(0, 1)),
    )
    return Scores(score, rng.uniform(0, 0.25, score.shape), ~np.isnan(score)), reference, settings

"""The Arrow schema of every table; each field says what it holds and in which unit.

A partitioned table has one file a prompt. Its leading columns are the same everywhere (`COMMON`), so that missing,
failed and stale prompts are found by reading two columns.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pyarrow as pa

SCHEMA_VERSION = 1


class Status(StrEnum):
    """What became of a prompt in a table."""

    DONE = "done"
    INCOMPLETE = "incomplete"
    """Something stayed ungraded, here or before; asked again in the next run."""
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


def _field(name: str, kind: pa.DataType, says: str) -> pa.Field[Any]:
    return pa.field(name, kind, metadata={"description": says})


def _list_of(*fields: pa.Field[Any]) -> pa.DataType:
    return pa.list_(pa.struct(list(fields)))


STRING, FLOAT, INT, BOOL = pa.string(), pa.float64(), pa.int64(), pa.bool_()
STRINGS = pa.list_(STRING)
METADATA = pa.map_(STRING, STRING)

COMMON = [
    _field("prompt_id", STRING, "The prompt; also the partition."),
    _field("status", STRING, "done, incomplete (something ungraded: asked again), failed, or withdrawn."),
    _field("error", STRING, "Why the prompt failed; null otherwise."),
    _field("input_fingerprint", STRING, "Hash of all that this row depends on; equal means nothing to do."),
]
SHARE = _field("weight", FLOAT, "Share of the rubric, 0..1; the weights of a rubric sum to 1.")
CRITERION = [
    _field("criterion_key", STRING, "Name of what the criterion says; grades are kept by it."),
    _field("criterion_id", STRING, "The criterion's id within its rubric."),
    _field("text", STRING, "The statement."),
]
DETAILS = [
    _field("criterion_type", STRING, "The kind of criterion."),
    _field("check_points", STRINGS, "What to look for."),
    _field("positive_examples", STRINGS, "Examples that meet it."),
    _field("negative_examples", STRINGS, "Examples that do not."),
    _field("measure", STRING, "The measure that grades it without a model; null where a verifier does."),
]
WHOLE_CRITERION = [*CRITERION, SHARE, *DETAILS]
EVALUATION = [
    _field("objective", FLOAT, "What the search maximises; compares rubrics of one prompt only."),
    _field("tail_acc", FLOAT, "Shrunk weighted pair accuracy; part of the objective, not to be shown."),
    _field("tail_var", FLOAT, "Mean vote variance of the tail's scores, unit scale squared."),
    _field("diverse_tail_acc", FLOAT, "tail_acc over pairs from different sources."),
    _field("pair_accuracy", FLOAT, "Plain share of visible pairs in the reference's order, 0..1, ties half."),
    _field("rubric_tail_accuracy", FLOAT, "The same over pairs inside the rubric's own tail."),
    _field("strict_tail_accuracy", FLOAT, "Share of pairs touching the reference tail in order, ties wrong."),
    _field("pairs", INT, "Pairs that the objective counts."),
    _field("effective_pairs", FLOAT, "(sum w)^2 / sum w^2 of their weights."),
    _field("top_margin", FLOAT, "Score difference of the top two, negative when the reference disagrees."),
    _field("has_right_top", BOOL, "Whether the top candidate is a best one of the reference."),
    _field("is_complete", BOOL, "Whether nothing that the rubric needs is ungraded."),
]
CALLS = [
    _field("initializer", INT, "Requests to the initializer, cached or not."),
    _field("proposer", INT, "Requests to the proposer."),
    _field("verifier", INT, "Requests to the verifier."),
    _field("failed", INT, "Requests whose reply could not be read."),
    _field("ungraded", INT, "Grades that were asked for and not given."),
    _field("saved_by_bank", INT, "Verifier requests that whole rubrics would have needed beyond those made."),
    _field("saved_by_racing", INT, "Verifier requests spared because their criteria had been dropped."),
]
ANCESTOR = [
    _field("fingerprint", STRING, "The rubric's fingerprint."),
    _field("operator", STRING, "What made it."),
    _field("generation", INT, "When it was made."),
    _field("parents", STRINGS, "Fingerprints of its parents."),
    _field("objective", FLOAT, "Its objective on the search's votes."),
    _field("gain", FLOAT, "Objective above its best parent's; null for the first rubric."),
    _field(
        "weights",
        _list_of(_field("criterion_key", STRING, "A criterion."), _field("weight", FLOAT, "Its share, 0..1.")),
        "What it is made of; `bank` has the texts.",
    ),
]
MILESTONE = [
    _field("best", FLOAT, "The best objective, by the search's votes."),
    _field("mean", FLOAT, "The population's mean objective."),
    _field("diversity", FLOAT, "Mean pairwise distance of the population's rubrics, 0..1."),
    _field("calls", INT, "Requests of the generation."),
]
COUNTS = _list_of(_field("operator", STRING, "What made them."), _field("count", INT, "How many."))

PROBED = [
    _field("candidate_id", STRING, "The response that the variant was made of."),
    _field("probe", STRING, "What was done to it: padded, stuffed, overlong or injected."),
    _field("score", FLOAT, "Score of the response by the search's votes, 0..1; null where unscored."),
    _field("variant_score", FLOAT, "Score of the variant, likewise."),
]
CANDIDATE = [
    _field("candidate_id", STRING, "Id within the prompt."),
    _field("text", STRING, "The response."),
    _field("source", STRING, "Where it comes from; empty when not known."),
    _field("metadata", METADATA, "Its metadata, labels included; each value as JSON."),
]

DATASET = pa.schema(
    [
        _field("prompt_id", STRING, "The prompt; also the partition."),
        _field("prompt", STRING, "The task text."),
        _field("status", STRING, "done, or withdrawn when the prompt has left the dataset."),
        _field("fingerprint", STRING, "Hash of the prompt's whole content, labels included."),
        _field("metadata", METADATA, "The prompt's metadata; each value as JSON."),
        _field("candidates", _list_of(*CANDIDATE), "The responses."),
    ]
)
CANDIDATES = pa.schema(
    [
        *COMMON,
        _field("candidates", _list_of(*CANDIDATE), "Sampled for the prompt; none where it has enough of its own."),
        _field("calls", INT, "Requests to the models of the pool, cached or not."),
        _field("failed", INT, "Samples that brought no response; asked again in the next run."),
        _field("repeated", INT, "Responses that were dropped, since their text was there already."),
    ]
)
PREFERENCES = pa.schema(
    [
        *COMMON,
        _field("judge", STRING, "Who gave the preferences: rank, quality or model."),
        _field("first", STRING, "A candidate; null in the one row of a prompt without any preference."),
        _field("second", STRING, "Another candidate."),
        _field("verdict", STRING, "Which is better: first, second, or tie."),
        _field("forward", STRING, "The judge's answer to (first, second); null for labels."),
        _field("backward", STRING, "The judge's answer to (second, first), told as (first, second)."),
        _field("touches_hidden", BOOL, "Whether a candidate of the pair is held out from the search."),
        _field("calls", INT, "Requests to the judge for the whole prompt; the same on all rows."),
        _field("unjudged", INT, "Pairs of the prompt without a readable answer; the same on all rows."),
    ]
)
POPULATION = pa.schema(
    [
        *COMMON,
        _field("place", INT, "Place in the population, 0 the best; null for the first rubric once it has left."),
        _field("is_initial", BOOL, "Whether this is the first rubric."),
        _field("fingerprint", STRING, "The rubric's fingerprint."),
        _field("operator", STRING, "What made it: initial, preset, or a mutation mode."),
        _field("born", INT, "Generation in which it was made."),
        _field("parents", STRINGS, "Fingerprints of its parents."),
        _field("gain", FLOAT, "Objective above its best parent's; null for the first rubric."),
        *EVALUATION,
        _field("criteria", _list_of(*CRITERION, SHARE), "The rubric; `bank` has the details of its criteria."),
        _field("generation", INT, "The generation that this table is the state after."),
        _field("stopped", STRING, "Why the prompt is not searched any further; null while it is."),
        _field("stagnation", INT, "Generations since the best got better."),
        _field("distinguished", INT, "Generations in a row in which the best told the whole tail apart."),
        _field("calls", pa.struct(CALLS), "Requests since the start; on the row of place 0 only."),
        _field("last_calls", pa.struct(CALLS), "Requests of this generation; on the row of place 0 only."),
        _field("tried", COUNTS, "Children made in this generation; on the row of place 0 only."),
        _field("kept", COUNTS, "Those that survived it; on the row of place 0 only."),
        _field("ancestors", _list_of(*ANCESTOR), "Every rubric ever made; on the row of place 0 only."),
        _field("history", _list_of(*MILESTONE), "Generation 0, 1, …; on the row of place 0 only."),
        _field("votes", INT, "Votes that the grades have room for; on the row of place 0 only."),
        _field(
            "bank",
            _list_of(
                *CRITERION,
                _field("weight", FLOAT, "The weight that it was written with; 1 is the mean of its rubric."),
                *DETAILS,
                _field("grades", pa.list_(FLOAT), "0..1, candidate by candidate, vote by vote; null: not graded."),
                _field("not_applicable", pa.list_(INT), "Places in `grades` that are not applicable."),
            ),
            "Every criterion that was ever graded; on the row of place 0 only.",
        ),
    ]
)
HARD_PROMPTS = pa.schema(
    [
        _field("prompt_id", STRING, "The prompt."),
        _field("hardness", FLOAT, "1/(1 + max(0, margin)) + 2 wrong_share; 0.5 easy, 3 hardest; null where it failed."),
        _field("margin", FLOAT, "Top margin of its best rubric, signed by the reference."),
        _field("wrong_share", FLOAT, "Share of its population whose top candidate is not the reference's best."),
        _field("is_hard", BOOL, "Whether the next generation evolves it."),
        _field("is_whole", BOOL, "Whether nothing of it is ungraded or failed."),
    ]
)
BEST = pa.schema(
    [
        *COMMON,
        _field("judge", STRING, "Who gave the preferences: rank, quality or model."),
        _field("rubric", _list_of(*WHOLE_CRITERION), "The rubric to use: weights fitted on all candidates."),
        _field("measured_rubric", _list_of(*WHOLE_CRITERION), "The rubric that every figure here belongs to."),
        _field("initial_rubric", _list_of(*WHOLE_CRITERION), "The first rubric."),
        _field(
            "candidate_scores",
            _list_of(
                _field("candidate_id", STRING, "A candidate."),
                _field("score", FLOAT, "0..1 under `rubric`; null where unscored."),
                _field("is_hidden", BOOL, "Whether it was held out from the search."),
            ),
            "Every candidate.",
        ),
        _field("best_candidate_id", STRING, "The candidate of the highest score."),
        _field("best", pa.struct(EVALUATION), "The measured rubric on visible pairs, by the finalists' fresh votes."),
        _field("initial", pa.struct(EVALUATION), "The first rubric, likewise."),
        _field("holdout_pairs", INT, "Reference-ordered pairs that touch a hidden candidate."),
        _field("holdout_initial", FLOAT, "Pairs of these that the first rubric orders rightly, ties half."),
        _field("holdout_best", FLOAT, "The same for the measured rubric."),
        _field("holdout_remembered", FLOAT, "The same for the visible labels alone, hidden candidates in the middle."),
        _field("unseen_pairs", INT, "Reference-ordered pairs of two hidden candidates."),
        _field("unseen_initial", FLOAT, "Pairs of these that the first rubric orders rightly, ties half."),
        _field("unseen_best", FLOAT, "The same for the measured rubric."),
        _field("generations", INT, "Generations that were searched."),
        _field("stopped", STRING, "Why the search ended."),
        _field("calls", pa.struct(CALLS), "Requests of the whole search, finalists and holdout included."),
        _field("judge_calls", INT, "Requests to the judge; not part of the search's."),
        _field(
            "probes", _list_of(*PROBED), "Variants of the best responses under `rubric`; none where it was not probed."
        ),
        _field("gamed_by", STRINGS, "Kinds of variants whose mean rise is beyond the margin: the rubric can be gamed."),
        _field("probe_calls", INT, "Requests to the verifier for the probes; not part of the search's."),
        _field("score_follows_length", BOOL, "Whether scores under `rubric` follow the length of the texts alone."),
        _field("criteria_follow_length", STRINGS, "Ids of criteria of `rubric` whose grades do."),
        _field("lineage", _list_of(*ANCESTOR), "The way from the first rubric to the measured one, oldest first."),
        _field("history", _list_of(*MILESTONE), "Generation 0, 1, … of the search."),
    ]
)

"""The table `best_rubrics`: one row is the rubric that was chosen for one prompt, with all that was measured of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NamedTuple, TypeAlias

import pyarrow as pa

from autosr_lib.domain.fingerprint import fingerprint
from autosr_lib.evaluation.holdout import HoldoutCount, PairCount
from autosr_lib.evaluation.objective import Evaluation
from autosr_lib.evaluation.probes import Probe
from autosr_lib.evaluation.settings import JudgeSetting
from autosr_lib.search.population import Ancestor
from autosr_lib.search.probing import ProbeResult
from autosr_lib.search.state import Calls, Milestone, StopReason
from autosr_lib.storage.tables.columns import (
    BOOL,
    COMMON,
    FLOAT,
    INT,
    STRING,
    STRINGS,
    Columns,
    Status,
    UnsuccessfulRow,
    common_columns,
    field,
    list_of,
    read_row_status,
)
from autosr_lib.storage.tables.run_results import PromptResult, ResultFigures
from autosr_lib.storage.tables.structs import (
    ANCESTOR,
    CALLS,
    COMPLETE_CRITERION,
    EVALUATION,
    MILESTONE,
    RubricRows,
    ancestor_columns,
    calls_columns,
    criterion_columns,
    milestone_columns,
    read_ancestor,
    read_milestones,
    read_rubric_rows,
)

PROBED = [
    field("candidate_id", STRING, "The response that the variant was made of."),
    field("probe", STRING, "What was done to it: padded, stuffed, overlong or injected."),
    field("score", FLOAT, "Score of the response by the search's votes, 0..1; null where unscored."),
    field("variant_score", FLOAT, "Score of the variant, likewise."),
]
CANDIDATE_SCORE = [
    field("candidate_id", STRING, "A candidate."),
    field("score", FLOAT, "0..1 under `rubric`; null where unscored."),
    field("is_hidden", BOOL, "Whether it was held out from the search."),
]
BEST_RUBRICS = pa.schema(
    [
        *COMMON,
        field("judge", STRING, "Who gave the preferences: rank, quality or model."),
        field("rubric", list_of(*COMPLETE_CRITERION), "The rubric to use: weights fitted on all candidates."),
        field("measured_rubric", list_of(*COMPLETE_CRITERION), "The rubric that every figure here belongs to."),
        field("initial_rubric", list_of(*COMPLETE_CRITERION), "The first rubric."),
        field("candidate_scores", list_of(*CANDIDATE_SCORE), "Every candidate."),
        field("best_candidate_id", STRING, "The candidate of the highest score."),
        field("best", pa.struct(EVALUATION), "The measured rubric on visible pairs, by the finalists' fresh votes."),
        field("initial", pa.struct(EVALUATION), "The first rubric, likewise."),
        field("holdout_pairs", INT, "Reference-ordered pairs that touch a hidden candidate."),
        field("holdout_initial", FLOAT, "Pairs of these that the first rubric orders correctly; a tie counts half."),
        field("holdout_best", FLOAT, "The same for the measured rubric."),
        field("holdout_remembered", FLOAT, "The same for the visible labels alone, hidden candidates in the middle."),
        field("unseen_pairs", INT, "Reference-ordered pairs of two hidden candidates."),
        field("unseen_initial", FLOAT, "Pairs of these that the first rubric orders correctly; a tie counts half."),
        field("unseen_best", FLOAT, "The same for the measured rubric."),
        field("generations", INT, "Generations that were searched."),
        field("stopped", STRING, "Why the search ended."),
        field("calls", pa.struct(CALLS), "Requests of the complete search, including finalists and holdout."),
        field("judge_calls", INT, "Requests to the judge; not counted in `calls`."),
        field(
            "probes",
            list_of(*PROBED),
            "Variants of the best responses, scored under `rubric`; none where it was not probed.",
        ),
        field("gamed_by", STRINGS, "Kinds of variants whose mean rise is beyond the margin: the rubric can be gamed."),
        field("probe_calls", INT, "Requests to the verifier for the probes; not counted in `calls`."),
        field("score_follows_length", BOOL, "Whether scores under `rubric` follow the length of the texts alone."),
        field("criteria_follow_length", STRINGS, "Ids of criteria of `rubric` whose grades do."),
        field("lineage", list_of(*ANCESTOR), "The rubrics from the first to the measured one, oldest first."),
        field("history", list_of(*MILESTONE), "Generation 0, 1, … of the search."),
    ]
)
RESULT_COLUMNS = (
    *("prompt_id", "status", "error", "input_fingerprint", "rubric", "best"),
    *("holdout_pairs", "holdout_best", "unseen_pairs", "unseen_best", "calls"),
)
"""The columns that `read_prompt_result` needs."""


class CandidateScore(NamedTuple):
    """The score of a candidate under the rubric to use."""

    candidate_id: str
    score: float | None
    """0..1; None where unscored."""
    is_hidden: bool
    """Whether it was held out from the search."""


@dataclass(frozen=True)
class BestRubricRow:
    """The rubric that was chosen for a prompt, and what was measured of it."""

    prompt_id: str
    status: Status
    error: str | None
    input_fingerprint: str | None
    judge: JudgeSetting
    rubric: RubricRows
    """The rubric to use: the criteria of `measured_rubric` with weights fitted on all candidates."""
    measured_rubric: RubricRows
    """The rubric that every figure here belongs to."""
    initial_rubric: RubricRows
    candidate_scores: tuple[CandidateScore, ...]
    """Of every candidate, in the order of the dataset."""
    best_candidate_id: str
    best: Evaluation
    """Of the measured rubric on visible pairs, by fresh votes."""
    initial: Evaluation
    """Of the first rubric, likewise."""
    holdout: HoldoutCount
    generations: int
    """Generations that were searched."""
    stopped: StopReason
    calls: Calls
    """Requests of the complete search, without the judge's and the probes'."""
    judge_calls: int
    probes: tuple[ProbeResult, ...]
    """Empty where the rubric was not probed."""
    gamed_by: tuple[Probe, ...]
    """Kinds of variants whose score rises beyond the margin."""
    probe_calls: int
    score_follows_length: bool
    criteria_follow_length: tuple[str, ...]
    """Ids of criteria whose grades follow the length of the texts."""
    lineage: tuple[Ancestor, ...]
    """From the first rubric to the measured one, oldest first."""
    history: tuple[Milestone, ...]
    """Generation 0, 1, … of the search."""

    @property
    def is_complete(self) -> bool:
        """Return whether no grade, verdict or reply is missing."""
        return self.status == Status.DONE

    @property
    def result(self) -> PromptResult:
        """Return the result in few numbers."""
        figures = ResultFigures(
            rubric=fingerprint(criterion_columns(self.rubric)),
            objective=self.best.objective,
            holdout_pairs=self.holdout.touching.pairs,
            holdout_best=self.holdout.touching.best,
            unseen_pairs=self.holdout.unseen.pairs,
            unseen_best=self.holdout.unseen.best,
            calls=self.calls.total,
        )
        return PromptResult(self.prompt_id, self.status, figures)

    @property
    def data_version(self) -> str:
        """Return a hash of what the rubric depends on and of the rubric itself."""
        return fingerprint(self.input_fingerprint, criterion_columns(self.rubric))


StoredBest: TypeAlias = BestRubricRow | UnsuccessfulRow
"""What the table holds of one prompt."""


def best_rubric_table(row: BestRubricRow) -> pa.Table:
    """Return the table of a prompt whose search has ended: one row."""
    columns = common_columns(row.prompt_id, row.input_fingerprint, row.status, row.error) | {
        "judge": str(row.judge),
        "rubric": criterion_columns(row.rubric),
        "measured_rubric": criterion_columns(row.measured_rubric),
        "initial_rubric": criterion_columns(row.initial_rubric),
        "candidate_scores": [score._asdict() for score in row.candidate_scores],
        "best_candidate_id": row.best_candidate_id,
        "best": row.best._asdict(),
        "initial": row.initial._asdict(),
        "holdout_pairs": row.holdout.touching.pairs,
        "holdout_initial": row.holdout.touching.initial,
        "holdout_best": row.holdout.touching.best,
        "holdout_remembered": row.holdout.remembered,
        "unseen_pairs": row.holdout.unseen.pairs,
        "unseen_initial": row.holdout.unseen.initial,
        "unseen_best": row.holdout.unseen.best,
        "generations": row.generations,
        "stopped": str(row.stopped),
        "calls": calls_columns(row.calls),
        "judge_calls": row.judge_calls,
        "probes": [asdict(probed) for probed in row.probes],
        "gamed_by": [str(probe) for probe in row.gamed_by],
        "probe_calls": row.probe_calls,
        "score_follows_length": row.score_follows_length,
        "criteria_follow_length": row.criteria_follow_length,
        "lineage": [ancestor_columns(ancestor) for ancestor in row.lineage],
        "history": milestone_columns(row.history),
    }
    return pa.Table.from_pylist([columns], schema=BEST_RUBRICS)


def read_best_rubric(rows: pa.Table) -> StoredBest:
    """Return the row of a prompt's table; the inverse of `best_rubric_table`."""
    status = read_row_status(rows)
    prompt_id = rows["prompt_id"][0].as_py()
    if not status.is_usable:
        return UnsuccessfulRow(prompt_id, *status)
    row = rows.to_pylist()[0]
    return BestRubricRow(
        prompt_id=prompt_id,
        status=status.status,
        error=status.error,
        input_fingerprint=status.input_fingerprint,
        judge=JudgeSetting(row["judge"]),
        rubric=read_rubric_rows(row["rubric"]),
        measured_rubric=read_rubric_rows(row["measured_rubric"]),
        initial_rubric=read_rubric_rows(row["initial_rubric"]),
        candidate_scores=tuple(CandidateScore(**struct) for struct in row["candidate_scores"]),
        best_candidate_id=row["best_candidate_id"],
        best=Evaluation(**row["best"]),
        initial=Evaluation(**row["initial"]),
        holdout=_read_holdout(row),
        generations=row["generations"],
        stopped=StopReason(row["stopped"]),
        calls=Calls(**row["calls"]),
        judge_calls=row["judge_calls"],
        probes=tuple(ProbeResult(**{**struct, "probe": Probe(struct["probe"])}) for struct in row["probes"]),
        gamed_by=tuple(map(Probe, row["gamed_by"])),
        probe_calls=row["probe_calls"],
        score_follows_length=row["score_follows_length"],
        criteria_follow_length=tuple(row["criteria_follow_length"]),
        lineage=tuple(map(read_ancestor, row["lineage"])),
        history=read_milestones(row["history"]),
    )


def read_prompt_result(rows: pa.Table) -> PromptResult:
    """Return the result of a prompt in few numbers; `rows` needs `RESULT_COLUMNS` only."""
    status = read_row_status(rows)
    row = rows.to_pylist()[0]
    if not status.is_usable:
        return PromptResult(row["prompt_id"], status.status, None)
    figures = ResultFigures(
        rubric=fingerprint(row["rubric"]),
        objective=row["best"]["objective"],
        holdout_pairs=row["holdout_pairs"],
        holdout_best=row["holdout_best"],
        unseen_pairs=row["unseen_pairs"],
        unseen_best=row["unseen_best"],
        calls=Calls(**row["calls"]).total,
    )
    return PromptResult(row["prompt_id"], status.status, figures)


def _read_holdout(row: Columns) -> HoldoutCount:
    return HoldoutCount(
        touching=PairCount(row["holdout_pairs"], row["holdout_initial"], row["holdout_best"]),
        unseen=PairCount(row["unseen_pairs"], row["unseen_initial"], row["unseen_best"]),
        remembered=row["holdout_remembered"],
    )

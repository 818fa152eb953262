"""The row of the table `best_rubrics` for a search that has just ended."""

from collections.abc import Iterable

from autosr_lib.search.conclusion import Conclusion
from autosr_lib.search.length import NO_LENGTH_BIAS, LengthReport
from autosr_lib.search.population import Ancestor
from autosr_lib.search.prepared_prompt import PreparedPrompt
from autosr_lib.search.probing import NOT_PROBED, ProbeReport
from autosr_lib.search.state import SearchState
from autosr_lib.storage.tables.best_rubrics import BestRubricRow, CandidateScore
from autosr_lib.storage.tables.columns import RowStatus
from autosr_lib.storage.tables.structs import rubric_rows


def row_of_conclusion(
    row_status: RowStatus,
    prepared: PreparedPrompt,
    state: SearchState,
    conclusion: Conclusion,
    probes: ProbeReport = NOT_PROBED,
    length: LengthReport = NO_LENGTH_BIAS,
) -> BestRubricRow:
    """Return the row of a prompt whose search has ended.

    Args:
        row_status: the status of the row and what it was computed from.
        prepared: the prompt, its preferences and its hidden candidates.
        state: the last state of the search.
        conclusion: of that state.
        probes: of the rubric to use.
        length: what of that rubric follows the length of the texts.
    """
    return BestRubricRow(
        prompt_id=prepared.prompt.prompt_id,
        status=row_status.status,
        error=row_status.error,
        input_fingerprint=row_status.input_fingerprint,
        judge=prepared.preferences.judge,
        rubric=rubric_rows(conclusion.rubric),
        measured_rubric=rubric_rows(conclusion.measured_rubric),
        initial_rubric=rubric_rows(state.initial.rubric),
        candidate_scores=tuple(
            CandidateScore(candidate_id, score, candidate_id in prepared.hidden_ids)
            for candidate_id, score in conclusion.candidate_scores.items()
        ),
        best_candidate_id=conclusion.best_candidate_id,
        best=conclusion.best.fresh,
        initial=conclusion.initial.fresh,
        holdout=conclusion.holdout,
        generations=len(state.history) - 1,
        stopped=conclusion.stopped,
        calls=state.calls + conclusion.calls,
        judge_calls=prepared.preferences.calls,
        probes=probes.results,
        gamed_by=probes.gamed_by,
        probe_calls=probes.calls,
        score_follows_length=length.score,
        criteria_follow_length=length.criteria,
        lineage=tuple(lineage(state.ancestors, conclusion.best.individual.fingerprint)),
        history=state.history,
    )


def lineage(ancestors: Iterable[Ancestor], rubric_fingerprint: str) -> list[Ancestor]:
    """Return the ancestors of an individual and the individual itself, in the order in which they were made."""
    made = list(ancestors)
    by_fingerprint = {ancestor.fingerprint: ancestor for ancestor in made}
    included, queue = set[str](), [rubric_fingerprint]
    while queue:
        name = queue.pop()
        if name in by_fingerprint and name not in included:
            included.add(name)
            queue += by_fingerprint[name].parents
    return [ancestor for ancestor in made if ancestor.fingerprint in included]

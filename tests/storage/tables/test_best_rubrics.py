"""The row of a best rubric holds what the search has concluded, and comes back from its table."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.storage.tables.best_rubrics import (
    BestRubricRow,
    best_rubric_table,
    read_best_rubric,
    read_prompt_result,
)
from autosr_lib.storage.tables.columns import RowStatus, Status
from autosr_lib.storage.tables.conclusions import lineage, row_of_conclusion
from autosr_lib.storage.tables.structs import CriterionRow, RubricRows, read_criterion, rubric_rows
from tests.fakes import fake_roles, rubric
from tests.storage.tables.values import CRITERIA, through_a_file
from tests.worlds import context_of, planted_prompt, run


def rubric_of(rows: RubricRows) -> Rubric:
    return Rubric(criteria=tuple(read_criterion(row._asdict()) for row in rows))


def test_the_row_holds_what_the_conclusion_says() -> None:
    context = context_of(planted_prompt(12, kinds=8), fake_roles(noise=0.4))
    state, conclusion = run(context)

    table = best_rubric_table(
        row_of_conclusion(RowStatus(Status.DONE, None, "input"), context.prepared, state, conclusion)
    )

    row = read_best_rubric(through_a_file(table))
    assert isinstance(row, BestRubricRow)
    assert rubric_of(row.rubric).weights == pytest.approx(conclusion.rubric.weights)
    assert rubric_of(row.measured_rubric) == conclusion.measured_rubric
    assert rubric_of(row.initial_rubric) == state.initial.rubric
    assert row.best == conclusion.best.fresh
    assert row.initial == conclusion.initial.fresh
    assert {score.candidate_id: score.score for score in row.candidate_scores} == conclusion.candidate_scores
    assert {score.candidate_id for score in row.candidate_scores if score.is_hidden} == context.prepared.hidden_ids
    assert row.holdout == conclusion.holdout
    assert row.calls == state.calls + conclusion.calls
    assert (row.stopped, row.generations, row.judge) == ("generations", 3, "quality")
    assert row.history == state.history


def test_any_row_comes_back_from_its_table_and_so_does_its_result() -> None:
    context = context_of(planted_prompt(12, kinds=8), fake_roles(noise=0.4))
    row = row_of_conclusion(RowStatus(Status.INCOMPLETE, None, "input"), context.prepared, *run(context))

    table = through_a_file(best_rubric_table(row))

    assert read_best_rubric(table) == row
    assert read_prompt_result(table) == row.result


def test_a_rubric_that_is_no_valid_one_is_read_as_it_is_stored() -> None:
    context = context_of(planted_prompt(6), fake_roles(), generations=0)
    row = row_of_conclusion(RowStatus(Status.DONE, None, "input"), context.prepared, *run(context))
    empty = CriterionRow("key", "c1", "", 2.0, "quality", (), (), (), None)
    invalid = replace(row, rubric=(empty, empty))

    read = read_best_rubric(through_a_file(best_rubric_table(invalid)))

    assert read == invalid


@given(st.lists(CRITERIA, min_size=1, max_size=4, unique_by=lambda c: c.criterion_id))
def test_any_rubric_comes_back_from_its_rows_with_its_shares(criteria: list[Criterion]) -> None:
    written = Rubric(criteria=tuple(criteria))

    read = rubric_of(rubric_rows(written))

    assert read.weights == written.weights
    assert read.fingerprint == written.fingerprint
    assert [c.model_copy(update={"weight": 1.0}) for c in read.criteria] == [
        c.model_copy(update={"weight": 1.0}) for c in written.criteria
    ]


def test_the_lineage_leads_from_the_first_rubric_to_the_best() -> None:
    state, conclusion = run(context_of(planted_prompt(12, kinds=8), fake_roles(noise=0.4)))

    ancestors = lineage(state.ancestors, conclusion.best.individual.fingerprint)

    assert ancestors[0].fingerprint == state.initial.fingerprint
    assert ancestors[-1].fingerprint == conclusion.best.individual.fingerprint
    fingerprints = {ancestor.fingerprint for ancestor in ancestors}
    assert all(set(ancestor.parents) <= fingerprints for ancestor in ancestors)
    assert [ancestor.generation for ancestor in ancestors] == sorted(ancestor.generation for ancestor in ancestors)


def test_a_rubric_that_was_never_made_has_no_lineage() -> None:
    state, _ = run(context_of(planted_prompt(8), fake_roles(), generations=0))

    assert lineage(state.ancestors, rubric("unknown").fingerprint) == []

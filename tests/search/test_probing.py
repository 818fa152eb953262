"""Probing detects rubrics under which variants that deserve no higher score get one."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.errors import BudgetExhausted, ReplyError
from autosr_lib.evaluation.probes import Probe, make_probes
from autosr_lib.evaluation.roles import Grade, GradeRequest
from autosr_lib.search.conclusion import conclude_search
from autosr_lib.search.probing import NOT_PROBED, ProbeReport, probe_rubric
from autosr_lib.search.roles import Roles
from autosr_lib.search.search import start_search
from autosr_lib.search.settings import InitializerStrategy
from tests.fakes import FakeInitializer, FakeJudge, FakeProposer, FakeVerifier, criterion
from tests.worlds import context_of, planted_prompt, search_settings

INSTRUCTION = "Note to the grader"


class Obedient(FakeVerifier):
    """Gives the highest grade to candidates that instruct it to."""

    async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
        grades = await super().grade(request)
        return {key: Grade(1.0) for key in grades} if INSTRUCTION in request.candidate_text else grades


def measured(*specs: str) -> Rubric:
    return Rubric(
        criteria=tuple(
            Criterion(criterion_id=f"m{n}", text=f"Measure {n}.", measure=spec) for n, spec in enumerate(specs)
        )
    )


def probed(rubric: Rubric, verifier: FakeVerifier | None = None, **changes: Any) -> ProbeReport:
    """Return the probe report of a search that only has this preset rubric."""
    settings = search_settings(
        initializer={"initial_proposals": 0, "initializer_strategy": InitializerStrategy.PRESET},
        evolution={"free_modes": (), "refit_on_all": False},
        **changes,
    )
    roles = Roles(FakeInitializer(), FakeProposer(), verifier or FakeVerifier(), FakeJudge())
    context = context_of(planted_prompt(8), roles, settings, generations=0)

    async def go() -> ProbeReport:
        state = await start_search(context, {"__default__": rubric})
        return await probe_rubric(context, state, await conclude_search(context, state))

    return asyncio.run(go())


def test_a_measured_rubric_that_counts_words_is_gamed_by_more_words_without_requests() -> None:
    report = probed(measured("min_words(200)"))

    assert {Probe.PADDED, Probe.OVERLONG} <= set(report.gamed_by)
    assert (len(report.results), report.calls, report.is_complete) == (8, 0, True)


def test_by_default_the_verifier_is_not_asked_to_grade_probes() -> None:
    verifier = FakeVerifier()

    assert probed(Rubric(criteria=(criterion("a0"),)), verifier) == NOT_PROBED
    assert not [request for request in verifier.requests if INSTRUCTION in request.candidate_text]


def test_a_verifier_that_obeys_instructions_in_responses_is_detected_and_requests_are_counted() -> None:
    verifier = Obedient()

    report = probed(Rubric(criteria=(criterion("a0"), criterion("a1"))), verifier, probing={"probing": "all"})

    assert report.gamed_by == (Probe.INJECTED,)
    assert report.calls == len(report.results) == 8


def test_a_variant_that_cannot_be_graded_has_no_score_and_the_report_is_incomplete() -> None:
    class Unreadable(FakeVerifier):
        async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
            if INSTRUCTION in request.candidate_text:
                raise ReplyError("mumble")
            return await super().grade(request)

    report = probed(Rubric(criteria=(criterion("a0"),)), Unreadable(), probing={"probing": "all"})

    assert {result.variant_score for result in report.results if result.probe is Probe.INJECTED} == {None}
    assert (report.gamed_by, report.is_complete) == ((), False)


def test_no_budget_left_for_the_prompt_means_no_probes_and_none_left_for_the_run_an_incomplete_report() -> None:
    class OutOfBudget(FakeVerifier):
        async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
            if "excellent question" in request.candidate_text:
                raise BudgetExhausted("spent")
            return await super().grade(request)

    rubric = Rubric(criteria=(criterion("a0"),))

    assert (
        probed(rubric, stop={"max_calls_per_prompt": 36}, probing={"probing": "all", "probe_candidates": 6})
        == NOT_PROBED
    )
    assert probed(rubric, OutOfBudget(), probing={"probing": "all"}) == ProbeReport(is_complete=False)


@pytest.mark.parametrize(("text", "says"), [("Rain falls.", "Note to the grader"), ("雨从云中落下。", "致评分者")])
def test_a_variant_is_in_the_language_of_its_response_and_contains_it(text: str, says: str) -> None:
    variants = make_probes(text, measured("min_words(1)"))

    assert set(variants) == set(Probe)
    assert all(variant.startswith(text) for variant in variants.values())
    assert says in variants[Probe.INJECTED]

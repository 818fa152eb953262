"""The heuristic initializer, verifier and judge."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosr_lib.domain.preference import Verdict
from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.evaluation.measures import measure, parse_measure
from autosr_lib.evaluation.roles import GradeRequest, JudgeRequest
from autosr_lib.heuristic import heuristic_roles
from autosr_lib.heuristic.standards import FOR_ANSWERS, FOR_MATERIAL
from autosr_lib.search.roles import InitializeRequest

TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=120)
POINT = Criterion(criterion_id="names", text="Names the capital", check_points=("Lisbon", "harbour"))
QUESTION = "What is the capital of Portugal, and what is it known for?"


def grade_request(text: str, *criteria: Criterion, vote: int = 0) -> GradeRequest:
    return GradeRequest("p", QUESTION, text, criteria or (POINT,), vote)


async def grade(text: str, *, criterion: Criterion = POINT, vote: int = 0, noise: float = 0.0, seed: int = 7) -> float:
    request = grade_request(text, criterion, vote=vote)
    value = (await heuristic_roles(seed, noise).verifier.grade(request))[criterion.key].value
    assert value is not None
    return value


async def initial_rubric(prompt_text: str, *texts: str) -> Rubric:
    return await heuristic_roles(7).initializer.write(InitializeRequest("p", prompt_text, texts))


async def test_the_verifier_grades_by_check_points_met() -> None:
    both, half, none = await grade("Lisbon, for its harbour."), await grade("Lisbon."), await grade("Madrid.")

    assert (both, half, none) == (1, 0.5, 0)


async def test_the_verifier_prefers_similarity_to_positive_over_negative_examples() -> None:
    tone = Criterion(
        criterion_id="tone",
        text="Tone",
        positive_examples=("calm harbour town",),
        negative_examples=("awful noisy town",),
    )

    assert await grade("A calm harbour.", criterion=tone) > await grade("Awful and noisy.", criterion=tone)


async def test_the_grade_of_a_measured_criterion_is_its_measure_without_noise() -> None:
    measured = Criterion(criterion_id="m", text="Long", measure="length")

    assert await grade("Lisbon it is.", criterion=measured, noise=0.5) == measure("length", QUESTION, "Lisbon it is.")


async def test_a_noisy_grade_depends_on_seed_and_vote_but_not_on_other_criteria_of_the_request() -> None:
    music = Criterion(criterion_id="o", text="Other", check_points=("music",))
    verifier = heuristic_roles(7, 0.2).verifier
    single = await verifier.grade(grade_request("Lisbon."))

    several = await verifier.grade(grade_request("Lisbon.", music, POINT))

    assert several[POINT.key] == single[POINT.key]
    assert await grade("Lisbon.", noise=0.2, vote=1) != single[POINT.key].value
    assert await grade("Lisbon.", noise=0.2, seed=8) != single[POINT.key].value


async def test_noise_has_the_standard_deviation_of_the_setting() -> None:
    errors = [await grade("Lisbon.", noise=0.1, vote=vote) - 0.5 for vote in range(400)]

    assert abs(sum(errors) / 400) < 0.02
    assert (sum(error**2 for error in errors) / 400) ** 0.5 == pytest.approx(0.1, abs=0.015)


@given(TEXT, TEXT, st.floats(0, 1))
@settings(deadline=None)
async def test_any_grade_is_between_0_and_1(text: str, point: str, noise: float) -> None:
    criterion = Criterion(criterion_id="c", text="Any", check_points=(point,))

    assert 0 <= await grade(text, criterion=criterion, noise=noise) <= 1


async def test_the_initial_rubric_has_10_to_18_measured_criteria_of_equal_weight() -> None:
    rubric = await initial_rubric(QUESTION, "Lisbon.", "Porto is a city with 2 rivers and a long history.")

    assert 10 <= len(rubric.criteria) <= 18
    assert {criterion.weight for criterion in rubric.criteria} == {1.0}
    assert all(criterion.measure for criterion in rubric.criteria)


async def test_the_initial_rubric_has_different_criteria_for_summaries_and_for_answers() -> None:
    article = "Summarize the article.\n\n" + "The storm closed the harbour of Lisbon for nine days. " * 30

    summary, answer = (
        await initial_rubric(article, "A storm.", "The storm closed it."),
        await initial_rubric(QUESTION, "Lisbon."),
    )

    assert {parse_measure(criterion.measure or "").name for criterion in summary.criteria} == set(FOR_MATERIAL)
    assert {parse_measure(criterion.measure or "").name for criterion in answer.criteria} == set(FOR_ANSWERS)


async def test_the_initial_rubric_does_not_depend_on_the_order_of_the_candidates() -> None:
    texts = ("Lisbon.", "Porto is a city with 2 rivers.", "Well, it is Lisbon, I think.")

    assert await initial_rubric(QUESTION, *texts) == await initial_rubric(QUESTION, *reversed(texts))


@given(TEXT, st.lists(TEXT, max_size=4))
@settings(deadline=None, max_examples=50)
async def test_any_prompt_gets_an_initial_rubric_with_valid_measures(prompt_text: str, texts: list[str]) -> None:
    rubric = await initial_rubric(prompt_text, *texts)

    assert all(str(parse_measure(criterion.measure or "")) == criterion.measure for criterion in rubric.criteria)


@given(TEXT, TEXT, TEXT)
@settings(deadline=None)
async def test_the_judge_has_the_same_preference_in_both_orders(prompt_text: str, first: str, second: str) -> None:
    judge = heuristic_roles(7).judge

    forward = await judge.prefer(JudgeRequest("p", prompt_text, first, second))

    assert await judge.prefer(JudgeRequest("p", prompt_text, second, first)) is forward.swapped


async def test_the_judge_prefers_a_finished_answer_to_an_echo_and_ties_equal_ones() -> None:
    judge = heuristic_roles(7).judge
    answer = "The capital of Portugal is Lisbon. It is known for Fado, trams and the harbour of Belem."

    assert await judge.prefer(JudgeRequest("p", QUESTION, answer, "what what what the")) is Verdict.FIRST
    assert await judge.prefer(JudgeRequest("p", QUESTION, answer, answer)) is Verdict.TIE

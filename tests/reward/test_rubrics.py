"""`Rubrics`: scores, grades, batches, and errors."""

import asyncio
import json
from pathlib import Path

import pytest

from autosr_lib.errors import BudgetExhausted, EndpointError, SettingsError
from autosr_lib.reward import Rubrics
from tests.llm.server import ModelServer, Says, Status
from tests.reward.searched_home import SearchedHome, uncached_rubrics, write_export


async def test_every_criterion_has_its_grade_and_the_reasons_of_the_verifier(model_home: SearchedHome) -> None:
    rubrics = Rubrics.load(model_home.export_path, settings={"llm_cache": False}, votes=2)

    scored = await rubrics.score(rubrics.prompt_ids[0], "A response.")

    criteria = rubrics.rubric(scored.prompt_id).criteria
    assert [grade.text for grade in scored.grades] == [criterion.text for criterion in criteria]
    assert all(grade.reasons == ("seen", "seen") and len(grade.votes) == 2 for grade in scored.grades)
    assert scored.score == pytest.approx(sum(grade.weight * (grade.grade or 0) for grade in scored.grades))
    assert scored.ungraded == 0
    assert json.loads(json.dumps(scored.as_json()))["score"] == scored.score


async def test_measured_criteria_cost_no_call(model_home: SearchedHome, tmp_path: Path) -> None:
    export = model_home.read_export()
    entry = export["best_rubrics"][0]
    entry["rubric"]["criteria"] = [
        {"criterion_id": "m", "text": "Is brief.", "weight": 1, "measure": "length_band(10, 50)"}
    ]
    with ModelServer() as server:
        rubrics = uncached_rubrics(write_export(tmp_path, export), server)

        scored = await rubrics.score(entry["prompt_id"], "A response of a dozen words or so.")

        assert server.requests == []
        assert scored.score is not None
        assert scored.grades[0].measure == "length_band(10, 50)"


async def test_a_response_is_unscored_without_a_substitute_number_if_no_reply_can_be_read(
    model_home: SearchedHome,
) -> None:
    with ModelServer(faults=lambda *_: Says("no idea")) as server:
        rubrics = uncached_rubrics(model_home.export_path, server)

        scored = await rubrics.score(rubrics.prompt_ids[0], "A response.")

        assert scored.score is None
        assert scored.ungraded == pytest.approx(1)
        assert {grade.grade for grade in scored.grades} == {None}


async def test_a_batch_keeps_its_order_and_names_a_prompt_without_a_rubric_before_it_sends_requests(
    model_home: SearchedHome,
) -> None:
    with ModelServer(latency=0.002) as server:
        rubrics = uncached_rubrics(model_home.export_path, server)
        prompt_ids = rubrics.prompt_ids

        with pytest.raises(SettingsError, match="'unknown' has no rubric"):
            await rubrics.score_batch([(prompt_ids[0], "A"), ("unknown", "B")])
        assert server.requests == []
        batch = await rubrics.score_batch([(prompt_ids[i % 2], f"Response {i}.") for i in range(20)])

        assert [scored.prompt_id for scored in batch] == [prompt_ids[i % 2] for i in range(20)]
        assert [scored.score for scored in batch] == [
            (await rubrics.score(prompt_ids[i % 2], f"Response {i}.")).score for i in range(20)
        ]


async def test_scoring_accumulates_no_call_records(model_home: SearchedHome) -> None:
    rubrics = model_home.rubrics()

    await asyncio.gather(*(rubrics.score(rubrics.prompt_ids[0], "A response.") for _ in range(50)))

    assert rubrics.client is not None
    assert rubrics.client.calls.drain() == []


async def test_a_spent_budget_is_reported(model_home: SearchedHome) -> None:
    rubrics = Rubrics.load(model_home.export_path, settings={"llm_cache": False, "max_calls": 2})

    with pytest.raises(BudgetExhausted, match="max_calls of the run is 2"):
        await rubrics.score_batch([(rubrics.prompt_ids[0], f"Response {i}.") for i in range(5)])


async def test_after_an_endpoint_failure_the_next_call_tries_the_endpoint_again(model_home: SearchedHome) -> None:
    is_down = True
    with ModelServer(faults=lambda *_: Status(401) if is_down else None) as server:
        rubrics = uncached_rubrics(model_home.export_path, server)
        async with rubrics:
            with pytest.raises(EndpointError):
                await rubrics.score(rubrics.prompt_ids[0], "A response.")
            is_down = False

            assert (await rubrics.score(rubrics.prompt_ids[0], "A response.")).score is not None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not JSON", "cannot be read"),
        ("[]", "has no best_rubrics"),
        ('{"best_rubrics": []}', "run_manifest lacks how candidates were graded"),
    ],
)
def test_a_file_that_is_not_an_export_is_refused(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_text(content)

    with pytest.raises(SettingsError, match=message):
        Rubrics.load(path)


def test_the_error_for_an_export_without_prompts_says_how_to_write_them(
    model_home: SearchedHome, tmp_path: Path
) -> None:
    export = model_home.read_export()
    del export["best_rubrics"][1]["prompt"]

    with pytest.raises(SettingsError, match=r"best_rubrics\[1\]\.prompt: .*writes a new export"):
        Rubrics.load(write_export(tmp_path, export))


def test_an_unknown_setting_or_rubric_is_named(model_home: SearchedHome) -> None:
    with pytest.raises(SettingsError, match="base_ulr is not a setting; did you mean"):
        Rubrics.load(model_home.export_path, settings={"base_ulr": "x"})
    with pytest.raises(SettingsError, match="which is 'best'; must be one of rubric, measured_rubric, initial_rubric"):
        Rubrics.load(model_home.export_path, which="best")

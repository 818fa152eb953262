"""Rubrics as a library: graded as in the search, or not at all."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autosr_lib.errors import BudgetExhausted, EndpointError, SettingsError
from autosr_lib.reward import Rubrics
from autosr_lib.settings import SearchRunSettings
from tests.llm.server import ModelServer, Says, Status
from tests.reward.searched import DEMO, PROJECT, Searched, responses, without_time

SearchWith = Callable[..., tuple[Searched, ModelServer]]

ONE_PROMPT = PROJECT / "examples" / "single_case_with_rank.json"
LAST_DIGITS = 1e-12
"""A sum over many candidates at once may be rounded otherwise than one over a single candidate."""


def own_candidates() -> list[tuple[str, str]]:
    return [(prompt_id, text) for (prompt_id, _), text in responses(ONE_PROMPT).items()]


def own_scores(home: Searched) -> list[float]:
    entries = {entry["prompt_id"]: entry["candidate_scores"] for entry in home.said()["best_rubrics"]}
    return [entries[prompt_id][name] for prompt_id, name in responses(ONE_PROMPT)]


# --- no skew between search and use ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_searchs_own_candidates_get_their_scores_again_by_the_same_requests(search_with: SearchWith) -> None:
    home, server = search_with("--grading", "per_criterion", "--finalist-votes", "0", dataset=ONE_PROMPT)
    searched = without_time(server)
    kept = Rubrics.load(home.path, cache_dir=home.cache)
    fresh = Rubrics.load(home.path, settings={"llm_cache": False})

    from_cache = asyncio.run(kept.score_batch(own_candidates()))
    asked_meanwhile = len(server.requests) - len(searched)
    server.requests.clear()
    asked_anew = asyncio.run(fresh.score_batch(own_candidates()))

    assert asked_meanwhile == 0
    assert [one.score for one in from_cache] == pytest.approx(own_scores(home), abs=LAST_DIGITS)
    assert from_cache == asked_anew
    assert len(server.requests) >= 6 * 3
    assert set(without_time(server)) <= set(searched)
    assert len(set(own_scores(home))) >= 5


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ("--scale", "binary", "--aggregate", "majority", "--num-votes", "3", "--holdout-votes", "3"),
        ("--prompt-language", "zh", "--allow-not-applicable", "--scale", "auto"),
        ("--candidate-extract-strategy", "identity", "--extract-strategy", "tag", "--extract-tag", "b"),
    ],
)
def test_with_any_protocol_the_same_kept_replies_give_the_same_scores(
    options: tuple[str, ...], search_with: SearchWith
) -> None:
    home, server = search_with("--grading", "per_criterion", "--finalist-votes", "0", *options, dataset=ONE_PROMPT)
    sent = len(server.requests)
    rubrics = Rubrics.load(home.path, cache_dir=home.cache)

    scored = asyncio.run(rubrics.score_batch(own_candidates()))

    assert [one.score for one in scored] == pytest.approx(own_scores(home), abs=LAST_DIGITS)
    assert len(server.requests) == sent


@pytest.mark.parametrize(
    ("grading", "votes", "differs"),
    [
        ({"grading": "per_criterion", "finalist_votes": 0}, None, []),
        ({"grading": "per_criterion"}, None, ["votes is 1, in the search 2 for visible"]),
        ({"grading": "per_criterion", "holdout_votes": 2}, 2, []),
        ({"grading": "pooled", "finalist_votes": 0}, None, ["shares a request with all others of its rubric"]),
        ({"grading": "per_rubric"}, None, ["grading was per_rubric", "votes is 1"]),
    ],
)
def test_in_what_use_differs_from_the_search_is_told(
    grading: dict[str, Any], votes: int | None, differs: list[str], by_model: Searched, tmp_path: Path
) -> None:
    export = by_model.said()
    export["run_manifest"]["settings"]["grading"] |= grading

    skew = Rubrics.load(written(tmp_path, export), votes=votes).skew

    assert (skew is None) == (not differs)
    assert all(part in (skew or "") for part in differs)


def test_eval_says_in_what_it_differs_and_offline_it_does_not(by_model: Searched, offline: Searched) -> None:
    skews = [
        json.loads(home.autosr("eval", str(home.path), str(DEMO), "--json").out)["skew"] for home in (by_model, offline)
    ]
    table = by_model.autosr("eval", str(by_model.path), str(DEMO)).out.replace("\n", " ")

    assert skews[0] == Rubrics.load(by_model.path).skew
    assert skews[1] is None
    assert "different from the search" in table


async def test_by_default_criteria_share_requests_and_the_scores_are_those_of_the_search(by_model: Searched) -> None:
    rubrics = Rubrics.load(by_model.path, cache_dir=by_model.cache)
    grading = rubrics.grading

    for entry in by_model.said()["best_rubrics"]:
        for name, score in entry["candidate_scores"].items():
            is_hidden = name in entry["hidden_candidates"]
            cast = grading.holdout_votes if is_hidden else grading.num_votes + grading.finalist_votes
            text = responses()[entry["prompt_id"], name]

            scored = await rubrics.score(entry["prompt_id"], text, votes=cast)

            assert scored.score == pytest.approx(score, abs=LAST_DIGITS)


async def test_offline_scores_are_those_of_the_search_and_no_key_is_needed(
    offline: Searched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LLM_API_KEY")
    rubrics = Rubrics.load(offline.path)

    for entry in offline.said()["best_rubrics"]:
        for name, score in entry["candidate_scores"].items():
            scored = await rubrics.score(entry["prompt_id"], responses()[entry["prompt_id"], name])

            assert scored.score == pytest.approx(score, abs=LAST_DIGITS)


async def test_a_search_that_was_graded_by_heuristics_is_graded_by_them_though_there_is_a_key(
    offline: Searched,
) -> None:
    rubrics = Rubrics.load(offline.path)

    assert rubrics.client is None


async def test_the_words_are_those_of_the_export_whatever_templates_are_here(
    by_model: Searched, tmp_path: Path
) -> None:
    export = by_model.said()
    export["run_manifest"]["verifier_template"] = export["run_manifest"]["verifier_template"].replace(
        "# user", "# user\nMARKED"
    )
    path = written(tmp_path, export)
    with ModelServer() as server:
        rubrics = Rubrics.load(path, settings={"base_url": server.base_url, "llm_cache": False})

        await rubrics.score(rubrics.prompt_ids[0], "A response.")

        assert server.requests
        assert all("MARKED" in body["messages"][1]["content"] for body in server.requests)


# --- what a score says -------------------------------------------------------------------------------------------------


async def test_every_criterion_has_its_grade_and_the_verifiers_reason(by_model: Searched) -> None:
    rubrics = Rubrics.load(by_model.path, settings={"llm_cache": False}, votes=2)

    scored = await rubrics.score(rubrics.prompt_ids[0], "A response.")

    assert [one.text for one in scored.grades] == [one.text for one in rubrics.rubric(scored.prompt_id).criteria]
    assert all(one.reasons == ("seen", "seen") and len(one.votes) == 2 for one in scored.grades)
    assert scored.score == pytest.approx(sum(one.weight * (one.grade or 0) for one in scored.grades))
    assert scored.ungraded == 0
    assert json.loads(json.dumps(scored.as_json()))["score"] == scored.score


async def test_measured_criteria_cost_no_call(by_model: Searched, tmp_path: Path) -> None:
    export = by_model.said()
    entry = export["best_rubrics"][0]
    entry["rubric"]["criteria"] = [
        {"criterion_id": "m", "text": "Is brief.", "weight": 1, "measure": "length_band(10, 50)"}
    ]
    with ModelServer() as server:
        rubrics = Rubrics.load(written(tmp_path, export), settings={"base_url": server.base_url, "llm_cache": False})

        scored = await rubrics.score(entry["prompt_id"], "A response of a dozen words or so.")

        assert server.requests == []
        assert scored.score is not None
        assert scored.grades[0].measure == "length_band(10, 50)"


async def test_a_verifier_that_cannot_be_read_leaves_a_response_unscored_and_no_number_stands_in(
    by_model: Searched,
) -> None:
    with ModelServer(faults=lambda *_: Says("no idea")) as server:
        rubrics = Rubrics.load(by_model.path, settings={"base_url": server.base_url, "llm_cache": False})

        scored = await rubrics.score(rubrics.prompt_ids[0], "A response.")

        assert scored.score is None
        assert scored.ungraded == pytest.approx(1)
        assert {one.grade for one in scored.grades} == {None}


async def test_a_batch_keeps_its_order_and_says_which_prompt_it_does_not_know_before_it_asks(
    by_model: Searched,
) -> None:
    with ModelServer(latency=0.002) as server:
        rubrics = Rubrics.load(by_model.path, settings={"base_url": server.base_url, "llm_cache": False})
        known = rubrics.prompt_ids

        with pytest.raises(SettingsError, match="'nobody' has no rubric"):
            await rubrics.score_batch([(known[0], "A"), ("nobody", "B")])
        assert server.requests == []
        scored = await rubrics.score_batch([(known[i % 2], f"Response {i}.") for i in range(20)])

        assert [one.prompt_id for one in scored] == [known[i % 2] for i in range(20)]
        assert [one.score for one in scored] == [
            (await rubrics.score(known[i % 2], f"Response {i}.")).score for i in range(20)
        ]


# --- faults ------------------------------------------------------------------------------------------------------------


async def test_a_budget_that_is_spent_is_said(by_model: Searched) -> None:
    rubrics = Rubrics.load(by_model.path, settings={"llm_cache": False, "max_calls": 2})

    with pytest.raises(BudgetExhausted, match="max_calls of the run is 2"):
        await rubrics.score_batch([(rubrics.prompt_ids[0], f"Response {i}.") for i in range(5)])


async def test_an_endpoint_that_was_away_is_asked_again_by_the_next_call(by_model: Searched) -> None:
    away = {"is": True}
    with ModelServer(faults=lambda *_: Status(401) if away["is"] else None) as server:
        rubrics = Rubrics.load(by_model.path, settings={"base_url": server.base_url, "llm_cache": False})
        async with rubrics:
            with pytest.raises(EndpointError):
                await rubrics.score(rubrics.prompt_ids[0], "A response.")
            away["is"] = False

            assert (await rubrics.score(rubrics.prompt_ids[0], "A response.")).score is not None


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("not JSON", "cannot be read"),
        ("[]", "has no best_rubrics"),
        ('{"best_rubrics": []}', "run_manifest lacks how candidates were graded"),
    ],
)
def test_what_is_no_export_is_refused_in_one_line(content: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)

    with pytest.raises(SettingsError, match=says):
        Rubrics.load(path)


def test_an_export_without_prompts_says_how_to_get_them(by_model: Searched, tmp_path: Path) -> None:
    export = by_model.said()
    del export["best_rubrics"][1]["prompt"]

    with pytest.raises(SettingsError, match=r"best_rubrics\[1\]\.prompt: .*writes a new export"):
        Rubrics.load(written(tmp_path, export))


def test_an_unknown_setting_or_rubric_is_named(by_model: Searched) -> None:
    with pytest.raises(SettingsError, match="base_ulr is not a setting; did you mean"):
        Rubrics.load(by_model.path, settings={"base_ulr": "x"})
    with pytest.raises(SettingsError, match="which is 'best'; must be one of rubric, measured_rubric, initial_rubric"):
        Rubrics.load(by_model.path, which="best")


# --- for code that is not asynchronous ---------------------------------------------------------------------------------


async def test_blocking_scores_are_the_same_also_where_a_loop_runs(by_model: Searched) -> None:
    rubrics = Rubrics.load(by_model.path, cache_dir=by_model.cache)
    wanted = (await rubrics.score(rubrics.prompt_ids[0], "A response.")).score
    blocking = Rubrics.load(by_model.path, cache_dir=by_model.cache).blocking()

    assert blocking.score(rubrics.prompt_ids[0], "A response.").score == wanted
    assert [one.score for one in blocking.score_batch([(rubrics.prompt_ids[0], "A response.")])] == [wanted]
    blocking.close()
    assert blocking.score(rubrics.prompt_ids[0], "A response.").score == wanted
    blocking.close()


def test_a_forked_worker_scores_as_its_parent_does(by_model: Searched) -> None:
    blocking = Rubrics.load(by_model.path, cache_dir=by_model.cache).blocking()
    prompt_id = blocking.rubrics.prompt_ids[0]
    wanted = blocking.score(prompt_id, "A response.").score
    reader, writer = os.pipe()

    child = os.fork()
    if child == 0:
        os.write(writer, repr(blocking.score(prompt_id, "A response.").score).encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(reader, 100).decode() == repr(wanted)
    blocking.close()


async def test_many_scores_leave_no_rows_of_calls_behind(by_model: Searched) -> None:
    rubrics = Rubrics.load(by_model.path, cache_dir=by_model.cache)

    await asyncio.gather(*(rubrics.score(rubrics.prompt_ids[0], "A response.") for _ in range(50)))

    assert rubrics.client is not None
    assert rubrics.client.calls.drain() == []


def test_the_settings_of_the_manifest_are_those_of_the_search(by_model: Searched) -> None:
    settings = SearchRunSettings.model_validate(by_model.said()["run_manifest"]["settings"])

    assert Rubrics.load(by_model.path).export.settings == settings


def written(folder: Path, export: Any) -> Path:
    path = folder / "export.json"
    path.write_text(json.dumps(export))
    return path

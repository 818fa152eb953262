"""Rubrics grade responses as the search graded its candidates, and say where their grading differs."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autosr_lib.reward import Rubrics
from autosr_lib.settings import SearchRunSettings
from tests.assets.model_home import PROJECT
from tests.llm.server import ModelServer
from tests.reward.searched_home import (
    DEMO,
    SearchedHome,
    candidate_texts,
    sorted_requests,
    uncached_rubrics,
    write_export,
)

SearchWith = Callable[..., tuple[SearchedHome, ModelServer]]

ONE_PROMPT = PROJECT / "examples" / "single_case_with_rank.json"
ROUNDING = 1e-12
"""Sums over many candidates and sums over one candidate may be rounded differently."""


def candidates_of_one_prompt() -> list[tuple[str, str]]:
    return [(prompt_id, text) for (prompt_id, _), text in candidate_texts(ONE_PROMPT).items()]


def search_scores(home: SearchedHome) -> list[float]:
    entries = {entry["prompt_id"]: entry["candidate_scores"] for entry in home.read_export()["best_rubrics"]}
    return [entries[prompt_id][name] for prompt_id, name in candidate_texts(ONE_PROMPT)]


@pytest.mark.slow
def test_the_candidates_of_the_search_get_the_same_scores_from_the_same_requests(search_with: SearchWith) -> None:
    home, server = search_with("--grading", "per_criterion", "--finalist-votes", "0", dataset=ONE_PROMPT)
    search_requests = sorted_requests(server)
    uncached = Rubrics.load(home.export_path, settings={"llm_cache": False})

    from_cache = asyncio.run(home.rubrics().score_batch(candidates_of_one_prompt()))
    requests_with_cache = len(server.requests) - len(search_requests)
    server.requests.clear()
    without_cache = asyncio.run(uncached.score_batch(candidates_of_one_prompt()))

    assert requests_with_cache == 0
    assert [scored.score for scored in from_cache] == pytest.approx(search_scores(home), abs=ROUNDING)
    assert from_cache == without_cache
    assert len(server.requests) >= 6 * 3
    assert set(sorted_requests(server)) <= set(search_requests)
    assert len(set(search_scores(home))) >= 5


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ("--scale", "binary", "--aggregate", "majority", "--num-votes", "3", "--holdout-votes", "3"),
        ("--prompt-language", "zh", "--allow-not-applicable", "--scale", "auto"),
        ("--candidate-extract-strategy", "identity", "--extract-strategy", "tag", "--extract-tag", "b"),
    ],
)
def test_with_any_protocol_the_cached_replies_give_the_same_scores(
    options: tuple[str, ...], search_with: SearchWith
) -> None:
    home, server = search_with("--grading", "per_criterion", "--finalist-votes", "0", *options, dataset=ONE_PROMPT)
    sent = len(server.requests)

    batch = asyncio.run(home.rubrics().score_batch(candidates_of_one_prompt()))

    assert [scored.score for scored in batch] == pytest.approx(search_scores(home), abs=ROUNDING)
    assert len(server.requests) == sent


@pytest.mark.parametrize(
    ("grading", "votes", "differences"),
    [
        ({"grading": "per_criterion", "finalist_votes": 0}, None, []),
        ({"grading": "per_criterion"}, None, ["votes is 1, in the search 2 for visible"]),
        ({"grading": "per_criterion", "holdout_votes": 2}, 2, []),
        ({"grading": "pooled", "finalist_votes": 0}, None, ["shares a request with all others of its rubric"]),
        ({"grading": "per_rubric"}, None, ["grading was per_rubric", "votes is 1"]),
    ],
)
def test_differences_from_the_grading_of_the_search_are_described(
    grading: dict[str, Any], votes: int | None, differences: list[str], model_home: SearchedHome, tmp_path: Path
) -> None:
    export = model_home.read_export()
    export["run_manifest"]["settings"]["grading"] |= grading

    skew = Rubrics.load(write_export(tmp_path, export), votes=votes).skew

    assert (skew is None) == (not differences)
    assert all(difference in (skew or "") for difference in differences)


def test_eval_reports_the_differences_and_heuristics_have_none(
    model_home: SearchedHome, offline_home: SearchedHome
) -> None:
    model_skew, offline_skew = (
        json.loads(home.autosr_on_export("eval", DEMO, "--json").out)["skew"] for home in (model_home, offline_home)
    )
    table = model_home.autosr_on_export("eval", DEMO).out.replace("\n", " ")

    assert model_skew == Rubrics.load(model_home.export_path).skew
    assert offline_skew is None
    assert "different from the search" in table


async def test_with_default_settings_the_scores_are_those_of_the_search(model_home: SearchedHome) -> None:
    rubrics = model_home.rubrics()
    grading = rubrics.grading

    for entry in model_home.read_export()["best_rubrics"]:
        for name, score in entry["candidate_scores"].items():
            is_hidden = name in entry["hidden_candidates"]
            votes = grading.holdout_votes if is_hidden else grading.num_votes + grading.finalist_votes
            text = candidate_texts()[entry["prompt_id"], name]

            scored = await rubrics.score(entry["prompt_id"], text, votes=votes)

            assert scored.score == pytest.approx(score, abs=ROUNDING)


async def test_offline_scores_are_those_of_the_search_and_need_no_api_key(
    offline_home: SearchedHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LLM_API_KEY")
    rubrics = Rubrics.load(offline_home.export_path)

    for entry in offline_home.read_export()["best_rubrics"]:
        for name, score in entry["candidate_scores"].items():
            scored = await rubrics.score(entry["prompt_id"], candidate_texts()[entry["prompt_id"], name])

            assert scored.score == pytest.approx(score, abs=ROUNDING)


async def test_rubrics_of_an_offline_search_use_heuristics_even_if_there_is_an_api_key(
    offline_home: SearchedHome,
) -> None:
    rubrics = Rubrics.load(offline_home.export_path)

    assert rubrics.client is None


async def test_requests_use_the_template_of_the_export_instead_of_the_local_one(
    model_home: SearchedHome, tmp_path: Path
) -> None:
    export = model_home.read_export()
    export["run_manifest"]["verifier_template"] = export["run_manifest"]["verifier_template"].replace(
        "# user", "# user\nMARKED"
    )
    with ModelServer() as server:
        rubrics = uncached_rubrics(write_export(tmp_path, export), server)

        await rubrics.score(rubrics.prompt_ids[0], "A response.")

        assert server.requests
        assert all("MARKED" in body["messages"][1]["content"] for body in server.requests)


def test_the_settings_of_the_manifest_are_those_of_the_search(model_home: SearchedHome) -> None:
    settings = SearchRunSettings.model_validate(model_home.read_export()["run_manifest"]["settings"])

    assert Rubrics.load(model_home.export_path).export.settings == settings

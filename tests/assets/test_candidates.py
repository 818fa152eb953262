"""Prompts without candidates: models sample candidates, and the prompts are then searched like others."""

import json
from pathlib import Path

import pytest

from tests.assets.commands import Home
from tests.assets.model_home import QUICK, ModelHome, without_run
from tests.assets.test_spending import calls_of
from tests.llm.server import ModelServer, reply_of, role_of, user_text

POOL = ("--response-models", "red,green,blue,white,black")
SMALL = (*QUICK, "--generations", "1", "--mutations-per-round", "1", "--initial-proposals", "1")
OWN = [{"candidate_id": f"c{n}", "text": f"My answer {n}.", "metadata": {"rank": n}} for n in (1, 2, 3, 4)]


def write(folder: Path, *ids: str) -> str:
    """Write prompts without candidates, and the prompt `own` with candidates; return the path."""
    bare = [{"prompt_id": name, "prompt": f"Tell of {name}."} for name in ids]
    path = folder / "bare.json"
    path.write_text(json.dumps([*bare, {"prompt_id": "own", "prompt": "Tell of yourself.", "candidates": OWN}]))
    return str(path)


def sampled_models(server: ModelServer) -> list[str]:
    """Return the model of each request for a candidate, sorted."""
    return sorted(body["model"] for body in server.requests if role_of(body) == "responder")


@pytest.mark.slow
def test_prompts_without_candidates_are_sampled_and_searched_and_again_with_a_smaller_pool(tmp_path: Path) -> None:
    path = write(tmp_path, "rain", "snow")
    with ModelServer() as server:
        home = ModelHome(tmp_path / "home", server.base_url)

        first = home.search(path, *POOL, *SMALL)
        earlier_requests, export, best = len(server.requests), home.export("bare"), home.best("bare")
        report = (home.root / "exports" / "bare.html").read_text(encoding="utf-8")
        home.delete_tables()
        second = home.search(path, *POOL, *SMALL)
        requests_of_second = len(server.requests) - earlier_requests
        dry_run = home.search(path, "--response-models", "red,green,blue", *SMALL, "--dry-run")
        third = home.search(path, "--response-models", "red,green,blue", *SMALL)

        assert (first.code, second.code, third.code) == (0, 0, 0), first.err + second.err + third.err
        assert requests_of_second == 0
        assert '<th scope="row">responder</th><td class="n">10</td>' in report
        assert without_run(home.export("bare")) != without_run(export)
        models = ["red", "green", "blue", "white", "black"]
        assert {name: [score["candidate_id"] for score in row["candidate_scores"]] for name, row in best.items()} == {
            "own": ["c1", "c2", "c3", "c4"],
            **{name: [f"{model}#1" for model in models] for name in ("rain", "snow")},
        }
        assert {name: row["judge"] for name, row in best.items()} == {"own": "rank", "rain": "model", "snow": "model"}
        assert sampled_models(server) == sorted(2 * models)  # the replies of the smaller pool are all cached
        rows = home.rows("bare/candidates")
        assert {key: len(row["candidates"]) for key, (row,) in rows.items()} == {"own": 0, "rain": 3, "snow": 3}
        assert {candidate["source"] for candidate in rows["rain"][0]["candidates"]} == {"red", "green", "blue"}
        assert "stale" in dry_run.out
        assert {
            name
            for name, row in home.best("bare").items()
            if row["input_fingerprint"] != best[name]["input_fingerprint"]
        } == {"rain", "snow"}
        calls = home.calls()
        assert calls["role"].to_pylist().count("responder") >= 10


@pytest.mark.slow
def test_a_prompt_with_equal_samples_fails_and_a_prompt_with_a_missing_sample_is_incomplete(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, "rain", "snow")

    def reply(body: dict[str, object]) -> str:
        if role_of(body) != "responder":
            return reply_of(body)
        if "snow" in user_text(body):
            return "Snow is white."
        return "" if body["model"] == "red" else reply_of(body)

    with ModelServer(reply) as server:
        home = ModelHome(tmp_path / "home", server.base_url)

        result = home.search(path, *POOL, *SMALL)

        assert result.code == 3
        status = {name: row["status"] for name, row in home.best("bare").items()}
        assert status == {"own": "done", "rain": "incomplete", "snow": "failed"}
        assert "leave prompt 'snow' with 1 candidate" in home.best("bare")["snow"]["error"]
        assert home.rows("bare/candidates")["rain"][0]["failed"] == 1


def test_prompts_need_candidates_or_a_pool_of_models_and_a_pool_needs_the_model_backend(tmp_path: Path) -> None:
    path = write(tmp_path, "rain")
    home = Home(tmp_path / "home")

    bare, offline = home.autosr("search", path), home.autosr("search", path, *POOL, "--backend", "heuristic")

    assert (bare.code, offline.code) == (2, 2)
    assert "prompts[0].candidates: is missing" in bare.err
    assert "response_models" in bare.err
    assert "which has no models to answer prompts; allowed: backend 'llm'" in offline.err
    assert [result.err.count("\n") for result in (bare, offline)] == [1, 1]


def test_the_estimate_counts_the_samples_and_their_price_by_model(tmp_path: Path) -> None:
    path = write(tmp_path, "rain", "snow")
    home = ModelHome(tmp_path / "home", "http://127.0.0.1:9/v1")
    pool = ("--response-models", "red,green", "--responses-per-model", "3")

    result = home.autosr("search", path, *pool, "--estimate", "--prices", '{"red": {"prompt": 1, "completion": 1000}}')

    assert result.code == 0, result.err
    sampled = [line.split() for line in result.out.splitlines() if line.startswith("responder")]
    assert [(row[1], row[2], row[-1]) for row in sampled] == [("red", "6", "$3.60"), ("green", "6", "price")]
    assert calls_of(result.out)["judge"] > 0

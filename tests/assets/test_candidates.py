"""Prompts without candidates: sampled from a pool of models, and searched like any other."""

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
    """Write prompts without candidates, and one with some of its own."""
    bare = [{"prompt_id": name, "prompt": f"Tell of {name}."} for name in ids]
    path = folder / "bare.json"
    path.write_text(json.dumps([*bare, {"prompt_id": "own", "prompt": "Tell of yourself.", "candidates": OWN}]))
    return str(path)


def asked(server: ModelServer, role: str = "responder") -> list[str]:
    return sorted(body["model"] for body in server.requests if role_of(body) == role)


@pytest.mark.slow
def test_a_search_from_prompts_alone_and_another_pool_samples_and_searches_those_prompts_anew(tmp_path: Path) -> None:
    path = write(tmp_path, "rain", "snow")
    with ModelServer() as server:
        home = ModelHome(tmp_path / "home", server.base_url)

        first = home.search(path, *POOL, *SMALL)
        sent, export, best = len(server.requests), home.export("bare"), home.best("bare")
        told = (home.root / "exports" / "bare.html").read_text(encoding="utf-8")
        home.forget_tables()
        second = home.search(path, *POOL, *SMALL)
        repeated = len(server.requests) - sent
        counted = home.search(path, "--response-models", "red,green,blue", *SMALL, "--dry-run")
        third = home.search(path, "--response-models", "red,green,blue", *SMALL)

        assert (first.code, second.code, third.code) == (0, 0, 0), first.err + second.err + third.err
        assert repeated == 0
        assert '<th scope="row">responder</th><td class="n">10</td>' in told
        assert without_run(home.export("bare")) != without_run(export)
        models = ["red", "green", "blue", "white", "black"]
        assert {name: [one["candidate_id"] for one in row["candidate_scores"]] for name, row in best.items()} == {
            "own": ["c1", "c2", "c3", "c4"],
            **{name: [f"{model}#1" for model in models] for name in ("rain", "snow")},
        }
        assert {name: row["judge"] for name, row in best.items()} == {"own": "rank", "rain": "model", "snow": "model"}
        assert asked(server) == sorted(2 * models)  # the smaller pool has only kept replies
        rows = home.rows("bare/candidates")
        assert {key: len(found[0]["candidates"]) for key, found in rows.items()} == {"own": 0, "rain": 3, "snow": 3}
        assert {one["source"] for one in rows["rain"][0]["candidates"]} == {"red", "green", "blue"}
        assert "stale" in counted.out
        assert {
            name
            for name, row in home.best("bare").items()
            if row["input_fingerprint"] != best[name]["input_fingerprint"]
        } == {"rain", "snow"}
        calls = home.calls()
        assert calls["role"].to_pylist().count("responder") >= 10


@pytest.mark.slow
def test_a_prompt_whose_models_all_say_the_same_fails_alone_and_one_that_lost_a_sample_is_incomplete(
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

        said = home.search(path, *POOL, *SMALL)

        assert said.code == 3
        status = {name: row["status"] for name, row in home.best("bare").items()}
        assert status == {"own": "done", "rain": "incomplete", "snow": "failed"}
        assert "leave prompt 'snow' with 1 candidate" in home.best("bare")["snow"]["error"]
        assert home.rows("bare/candidates")["rain"][0]["failed"] == 1


def test_without_a_pool_prompts_need_candidates_and_offline_a_pool_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "rain")
    home = Home(tmp_path / "home")

    bare, offline = home.autosr("search", path), home.autosr("search", path, *POOL, "--backend", "heuristic")

    assert (bare.code, offline.code) == (2, 2)
    assert "prompts[0].candidates: is missing" in bare.err
    assert "response_models" in bare.err
    assert "which has no models to answer prompts; allowed: backend 'llm'" in offline.err
    assert [said.err.count("\n") for said in (bare, offline)] == [1, 1]


def test_the_estimate_counts_the_samples_and_their_price_by_model(tmp_path: Path) -> None:
    path = write(tmp_path, "rain", "snow")
    home = ModelHome(tmp_path / "home", "http://127.0.0.1:9/v1")
    pool = ("--response-models", "red,green", "--responses-per-model", "3")

    said = home.autosr("search", path, *pool, "--estimate", "--prices", '{"red": {"prompt": 1, "completion": 1000}}')

    assert said.code == 0, said.err
    sampled = [line.split() for line in said.out.splitlines() if line.startswith("responder")]
    assert [(row[1], row[2], row[-1]) for row in sampled] == [("red", "6", "$3.60"), ("green", "6", "price")]
    assert calls_of(said.out)["judge"] > 0

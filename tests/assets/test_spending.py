"""The estimate of a search, compared with its actual calls, and the confirmation of an expensive search."""

import io
import re
from pathlib import Path

import pytest

from tests.assets.model_home import DEMO, QUICK, ModelHome, write_summeval
from tests.llm.server import ModelServer, Sampling, role_of

PRICES = '{"scripted": {"prompt": 100, "completion": 300}}'


@pytest.fixture
def home(tmp_path: Path) -> ModelHome:
    """Return a home with an endpoint that does not exist: a request to it fails."""
    return ModelHome(tmp_path, "http://127.0.0.1:9/v1")


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--judge", "model"),
        ("--mode", "iterative"),
        ("--mode", "iterative", "--no-accept-only-if-improve", "--generations", "5"),
        ("--scope", "global_batch", "--batch-size", "1"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("dataset", ["demo", "summeval"])
def test_the_estimate_is_within_15_percent_of_the_calls_that_are_made(
    dataset: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    path = DEMO if dataset == "demo" else write_summeval(tmp_path, 3)
    with ModelServer(Sampling()) as server:
        home = ModelHome(tmp_path / "home", server.base_url)

        result = home.autosr("search", str(path), *options, "--estimate")
        assert result.code == 0, result.err
        assert not server.requests
        expected = calls_of(result.out)
        assert home.autosr("search", str(path), *options, *QUICK).code == 0

    made = {role: sum(role_of(body) == role for body in server.requests) for role in expected if role != "all"}

    assert expected["all"] == pytest.approx(sum(made.values()), rel=0.15), f"{expected} expected, {made} made"


def calls_of(output: str) -> dict[str, int]:
    """Return the estimate's calls by role."""
    rows = [line.split() for line in output.splitlines() if "no price" in line or "$" in line]
    return {row[0]: int(row[1 if row[0] == "all" else 2].replace(",", "")) for row in rows}


def test_the_estimate_has_calls_tokens_and_dollars_by_role_and_calls_no_model(home: ModelHome) -> None:
    result = home.autosr("search", str(DEMO), "--estimate", "--prices", PRICES)

    assert result.code == 0, result.err
    assert "3 prompts to search" in result.out
    figures = {line.split()[0]: line.split() for line in result.out.splitlines() if "$" in line}
    assert set(figures) == {"initializer", "proposer", "verifier", "judge", "all"}
    _, model, calls, prompt_tokens, completion_tokens, cost = figures["proposer"]
    assert (model, calls) == ("scripted", "36")
    tokens = [int(count.replace(",", "")) for count in (prompt_tokens, completion_tokens)]
    assert float(cost.strip("$")) == pytest.approx((tokens[0] * 100 + tokens[1] * 300) / 1e6, abs=0.01)
    assert not (home.root / "storage").exists()


def test_without_a_price_the_cost_is_unknown(home: ModelHome) -> None:
    result = home.autosr("search", str(DEMO), "--estimate")

    assert re.search(r"^all .*no price\s*$", result.out, re.MULTILINE)


def test_in_global_batch_the_estimate_says_how_many_prompts_can_evolve(home: ModelHome) -> None:
    options = ("--scope", "global_batch", "--batch-size", "1")

    all_prompts, batch = (
        home.autosr("search", str(DEMO), "--estimate", "--generations", "2", *more) for more in ((), options)
    )

    assert batch.code == 0, batch.err
    assert "at most 2 prompts can evolve" in batch.out
    assert calls_of(batch.out)["all"] < calls_of(all_prompts.out)["all"]


def test_offline_the_estimate_says_that_no_model_is_called(home: ModelHome) -> None:
    result = home.autosr("search", str(DEMO), "--estimate", "--backend", "heuristic")

    assert (result.code, "no model is called" in result.out) == (0, True)


def test_an_expensive_search_without_a_terminal_needs_the_option_yes(home: ModelHome) -> None:
    expensive = ("search", str(DEMO), "--prices", PRICES, "--confirm-cost", "0.5", *QUICK)

    refused, agreed = home.autosr(*expensive), home.autosr(*expensive, "--yes", "--llm-max-retries", "0")

    assert refused.code == agreed.code == 2
    assert refused.err.count("\n") == 1
    assert re.search(r"expected to cost about \$\d+\.\d\d, and confirm_cost is \$0.5; allowed: --yes", refused.err)
    assert "connection failed" in agreed.err


def test_a_declined_confirmation_spends_nothing(home: ModelHome, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal("n\n"))

    result = home.autosr("search", str(DEMO), "--prices", PRICES, "--confirm-cost", "0.5")

    assert result.code == 0
    assert "Continue?" in result.err
    assert not (home.root / "storage").exists()


def test_cache_info_and_clear_use_the_cache_of_a_search(tmp_path: Path) -> None:
    with ModelServer() as server:
        home = ModelHome(tmp_path, server.base_url)
        assert home.search(DEMO, *QUICK, "--generations", "0").code == 0
        cached = len(server.requests)

    assert f"{home.root / 'cache' / 'replies.sqlite'}: {cached} replies" in home.autosr("cache", "info").out
    refused = home.autosr("cache", "clear")
    assert (refused.code, f"{cached} replies" in refused.err) == (2, True)
    assert home.autosr("cache", "clear", "--yes").out.startswith(f"{cached} replies deleted")
    assert ": 0 replies" in home.autosr("cache", "info").out

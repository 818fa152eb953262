"""What a search is expected to spend, against what it does spend."""

import io
import re
from pathlib import Path

import pytest

from tests.assets.test_model_backend import DEMO, QUICK, ModelHome, some_of_summeval
from tests.llm.server import ModelServer, Sampling, role_of

PRICES = '{"scripted": {"prompt": 100, "completion": 300}}'


@pytest.fixture
def home(tmp_path: Path) -> ModelHome:
    """A home whose endpoint nobody serves: to ask it is an error."""
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
def test_the_estimate_is_within_a_seventh_of_the_calls_that_are_made(
    dataset: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    path = DEMO if dataset == "demo" else some_of_summeval(tmp_path, 3)
    with ModelServer(Sampling()) as server:
        home = ModelHome(tmp_path / "home", server.base_url)

        said = home.autosr("search", str(path), *options, "--estimate")
        assert said.code == 0, said.err
        assert not server.requests
        reckoned = calls_of(said.out)
        assert home.autosr("search", str(path), *options, *QUICK).code == 0

    made = {role: sum(role_of(body) == role for body in server.requests) for role in reckoned if role != "all"}

    assert reckoned["all"] == pytest.approx(sum(made.values()), rel=0.15), f"{reckoned} reckoned, {made} made"


def calls_of(said: str) -> dict[str, int]:
    """Return the estimate's calls by role."""
    rows = [line.split() for line in said.splitlines() if "no price" in line or "$" in line]
    return {row[0]: int(row[1 if row[0] == "all" else 2].replace(",", "")) for row in rows}


def test_the_estimate_has_calls_tokens_and_dollars_by_role_and_asks_nobody(home: ModelHome) -> None:
    said = home.autosr("search", str(DEMO), "--estimate", "--prices", PRICES)

    assert said.code == 0, said.err
    assert "3 prompts to do" in said.out
    figures = {line.split()[0]: line.split() for line in said.out.splitlines() if "$" in line}
    assert set(figures) == {"initializer", "proposer", "verifier", "judge", "all"}
    _, model, calls, sent, answered, cost = figures["proposer"]
    assert (model, calls) == ("scripted", "36")
    tokens = [int(count.replace(",", "")) for count in (sent, answered)]
    assert float(cost.strip("$")) == pytest.approx((tokens[0] * 100 + tokens[1] * 300) / 1e6, abs=0.01)
    assert not (home.root / "storage").exists()


def test_a_model_without_a_price_costs_nobody_knows_what(home: ModelHome) -> None:
    said = home.autosr("search", str(DEMO), "--estimate")

    assert re.search(r"^all .*no price\s*$", said.out, re.MULTILINE)


def test_in_global_batch_it_says_how_many_prompts_can_be_reached(home: ModelHome) -> None:
    options = ("--scope", "global_batch", "--batch-size", "1")

    whole, batch = (
        home.autosr("search", str(DEMO), "--estimate", "--generations", "2", *more) for more in ((), options)
    )

    assert batch.code == 0, batch.err
    assert "at most 2 prompts can evolve" in batch.out
    assert calls_of(batch.out)["all"] < calls_of(whole.out)["all"]


def test_offline_it_says_that_no_model_is_asked(home: ModelHome) -> None:
    said = home.autosr("search", str(DEMO), "--estimate", "--backend", "heuristic")

    assert (said.code, "no model is asked" in said.out) == (0, True)


def test_a_dear_search_without_a_terminal_needs_a_yes(home: ModelHome) -> None:
    dear = ("search", str(DEMO), "--prices", PRICES, "--confirm-cost", "0.5", *QUICK)

    refused, agreed = home.autosr(*dear), home.autosr(*dear, "--yes", "--llm-max-retries", "0")

    assert refused.code == agreed.code == 2
    assert refused.err.count("\n") == 1
    assert re.search(r"expected to cost about \$\d+\.\d\d, and confirm_cost is \$0.5; allowed: --yes", refused.err)
    assert "connection failed" in agreed.err


def test_at_a_terminal_it_asks_and_a_no_spends_nothing(home: ModelHome, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal("n\n"))

    said = home.autosr("search", str(DEMO), "--prices", PRICES, "--confirm-cost", "0.5")

    assert said.code == 0
    assert "Go on?" in said.err
    assert not (home.root / "storage").exists()


def test_the_kept_replies_are_counted_and_forgotten_where_a_search_keeps_them(tmp_path: Path) -> None:
    with ModelServer() as server:
        home = ModelHome(tmp_path, server.base_url)
        assert home.search(DEMO, *QUICK, "--generations", "0").code == 0
        kept = len(server.requests)

    assert f"{home.root / 'cache' / 'replies.sqlite'}: {kept} replies" in home.autosr("cache", "info").out
    refused = home.autosr("cache", "clear")
    assert (refused.code, f"{kept} replies" in refused.err) == (2, True)
    assert home.autosr("cache", "clear", "--yes").out.startswith(f"{kept} replies deleted")
    assert ": 0 replies" in home.autosr("cache", "info").out

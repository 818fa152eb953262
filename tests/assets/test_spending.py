"""What a search is expected to spend, against what it does spend."""

from pathlib import Path

import pytest

from tests.assets.test_model_backend import DEMO, QUICK, ModelHome, some_of_summeval
from tests.llm.server import ModelServer, role_of

PRICED = ("--prices", '{"scripted": {"prompt": 100, "completion": 300}}')


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--judge", "model"), ("--mode", "iterative", "--iterations", "4")])
@pytest.mark.parametrize("dataset", ["demo", "summeval"])
def test_the_estimate_is_within_a_quarter_of_the_calls_that_are_made(
    dataset: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    path = DEMO if dataset == "demo" else some_of_summeval(tmp_path, 3)
    with ModelServer() as server:
        home = ModelHome(tmp_path / "home", server.base_url)

        said = home.autosr("search", str(path), *options, "--estimate")
        assert said.code == 0, said.err
        assert not server.requests
        reckoned = calls_of(said.out)
        assert home.autosr("search", str(path), *options, *QUICK).code == 0

    made = {role: sum(role_of(body) == role for body in server.requests) for role in reckoned if role != "all"}
    print(reckoned, made)
    assert reckoned["all"] == pytest.approx(sum(made.values()), rel=0.25)


def calls_of(said: str) -> dict[str, int]:
    """Return the estimate's calls by role."""
    rows = [line.split() for line in said.splitlines() if "no price" in line or "$" in line]
    return {row[0]: int(row[1 if row[0] == "all" else 2].replace(",", "")) for row in rows}

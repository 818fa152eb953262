"""The row cache of a run: tables are the same with and without it."""

from pathlib import Path

import pytest

from autosr_lib.pipeline.row_cache import RowCache
from tests.assets.commands import Home, planted, write_prompts
from tests.fakes import fake_roles

STOPS_EARLY = ("--generations", "4", "--stagnation-generations", "1")


def test_a_value_that_is_removed_makes_room_for_another() -> None:
    cache = RowCache(capacity=10)
    cache.put("a", "the first", 7)
    cache.put("b", "does not fit", 7)

    first, again = cache.pop("a"), cache.pop("a")
    cache.put("b", "fits", 7)

    assert (first, again) == ("the first", None)
    assert (cache.get("b"), cache.capacity) == ("fits", 3)


def test_a_new_value_replaces_the_previous_one_and_its_size() -> None:
    cache = RowCache(capacity=10)
    cache.put("a", "old", 8)

    cache.put("a", "new", 9)

    assert (cache.get("a"), cache.capacity) == ("new", 1)


@pytest.mark.parametrize(
    "options",
    [
        STOPS_EARLY,
        pytest.param(("--generations", "3", "--mode", "iterative"), marks=pytest.mark.slow),
        pytest.param((*STOPS_EARLY, "--racing", "--free-modes", "prune,crossover,gather"), marks=pytest.mark.slow),
        pytest.param(("--generations", "3", "--scope", "global_batch", "--batch-size", "1"), marks=pytest.mark.slow),
    ],
    ids=["evolutionary", "iterative", "racing", "global_batch"],
)
def test_tables_are_byte_identical_with_and_without_the_cache(
    options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_prompts(tmp_path / "calls.json", planted("a", "b", "c"))
    caching, reading = Home(tmp_path / "caching"), Home(tmp_path / "reading")
    with monkeypatch.context() as patch:
        patch.setattr("autosr_lib.pipeline.search_runner.read_state", _never)
        assert caching.autosr("search", path, *options, roles=fake_roles(noise=0.3)).code == 0

    monkeypatch.setattr("autosr_assets.runtime.resources.RowCache", lambda: RowCache(capacity=0))
    assert reading.autosr("search", path, *options, roles=fake_roles(noise=0.3)).code == 0

    assert tables(caching) == tables(reading)


def tables(home: Home) -> dict[str, bytes]:
    """Return every partition of every table of the search and its dataset."""
    files = {name: content for name, (_, content) in home.files().items() if name.startswith("storage/calls/")}
    assert files
    return {name: content for name, content in files.items() if name.count("/") == 3}


def _never(_: object) -> None:
    raise AssertionError("a cached state was read from its table")

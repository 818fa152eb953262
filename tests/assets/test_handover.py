"""Steps of one run hand over in memory what they made: it is never another thing than what the tables hold."""

from pathlib import Path

import pytest

from autosr_assets.steps.handover import Handover
from tests.assets.commands import Home, planted, write_prompts
from tests.fakes import fake_roles

STOPS_EARLY = ("--generations", "4", "--stagnation-generations", "1")


def test_a_value_is_handed_over_once_and_makes_room_for_another() -> None:
    handover = Handover(room=10)
    handover.keep("a", "the first", 7)
    handover.keep("b", "finds no room", 7)

    first, again = handover.take("a"), handover.take("a")
    handover.keep("b", "finds room", 7)

    assert (first, again) == ("the first", None)
    assert (handover.look("b"), handover.room) == ("finds room", 3)


def test_a_newer_value_takes_the_place_and_the_room_of_the_one_before() -> None:
    handover = Handover(room=10)
    handover.keep("a", "old", 8)

    handover.keep("a", "new", 9)

    assert (handover.look("a"), handover.room) == ("new", 1)


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
def test_tables_are_byte_for_byte_what_they_are_when_every_step_reads_them(
    options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_prompts(tmp_path / "calls.json", planted("a", "b", "c"))
    handing, reading = Home(tmp_path / "handing"), Home(tmp_path / "reading")
    with monkeypatch.context() as patch:
        patch.setattr("autosr_assets.steps.search_steps.read_state", _never)
        assert handing.autosr("search", path, *options, roles=fake_roles(noise=0.3)).code == 0

    monkeypatch.setattr("autosr_assets.resources.Handover", lambda: Handover(room=0))
    assert reading.autosr("search", path, *options, roles=fake_roles(noise=0.3)).code == 0

    assert tables(handing) == tables(reading)


def tables(home: Home) -> dict[str, bytes]:
    """Return every partition of every table of the search and its dataset."""
    found = {name: content for name, (_, content) in home.files().items() if name.startswith("storage/calls/")}
    assert found
    return {name: content for name, content in found.items() if name.count("/") == 3}


def _never(_: object) -> None:
    raise AssertionError("a state that was handed over is read")

"""Files that are dropped for a dataset, before any sensor looks at them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from upath import UPath

from autosr_assets.automation.incoming import Inbox
from tests.assets.commands import planted, write_prompts


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[UPath]:
    place = UPath(tmp_path / "incoming") if request.param == "local" else UPath("memory://inbox/incoming")
    place.mkdir(parents=True, exist_ok=True)
    yield place
    if request.param == "memory":
        place.fs.rm("/inbox", recursive=True)


@pytest.fixture
def good(tmp_path: Path) -> bytes:
    return Path(write_prompts(tmp_path / "good.json", planted("a", "b"))).read_bytes()


def test_a_good_file_becomes_the_dataset_and_replaces_the_one_before(folder: UPath, good: bytes) -> None:
    inbox = Inbox("calls", folder)
    (folder / "calls.json").write_bytes(good)
    assert inbox.accepted() is None

    faults = [inbox.take_in(file, skip_invalid=False) for file in inbox.waiting()]
    (folder / "calls.jsonl").write_bytes(b"".join(planted_line(name) for name in ("a", "c")))
    faults += [inbox.take_in(file, skip_invalid=False) for file in inbox.waiting()]

    assert faults == [None, None]
    assert inbox.waiting() == []
    assert inbox.accepted() == folder.parent / "datasets" / "calls.jsonl"
    assert [file.name for file in (folder.parent / "datasets").iterdir()] == ["calls.jsonl"]


def test_a_bad_file_is_set_aside_with_every_fault_beside_it(folder: UPath, good: bytes) -> None:
    inbox = Inbox("calls", folder)
    (folder / "calls.json").write_bytes(good.replace(b'"candidate_id": "c1"', b'"candidate_id": "c0"'))

    said = inbox.take_in(inbox.waiting()[0], skip_invalid=False)

    rejected = folder.parent / "rejected"
    assert said is not None
    assert "prompts[0].candidates" in said
    assert "prompts[1].candidates" in said
    assert (rejected / "calls.json.error.txt").read_text() == said
    assert (rejected / "calls.json").exists()
    assert (inbox.waiting(), inbox.accepted()) == ([], None)


def test_only_files_with_the_name_of_the_dataset_and_a_known_suffix_are_its_own(folder: UPath) -> None:
    for name in ("calls.json", "calls.CSV", "calls.json.part", "calls.tmp", "other.json", "mine.json", ".hidden.json"):
        (folder / name).write_bytes(b"{}")
    inbox = Inbox("calls", folder)

    assert {file.name for file in inbox.waiting()} == {"calls.json", "calls.CSV"}
    assert inbox.strangers(frozenset({"calls", "other"})) == ["calls.json.part", "calls.tmp", "mine.json"]


def test_of_two_files_the_newer_is_the_dataset(tmp_path: Path, good: bytes) -> None:
    folder = UPath(tmp_path / "incoming")
    folder.mkdir()
    for name, age in (("calls.json", 20), ("calls.jsonl", 10)):
        (folder / name).write_bytes(good if name.endswith("json") else planted_line("new"))
        os.utime(folder / name, (1_700_000_000 - age, 1_700_000_000 - age))
    inbox = Inbox("calls", folder)

    for file in inbox.waiting():
        inbox.take_in(file, skip_invalid=False)

    accepted = inbox.accepted()
    assert accepted is not None
    assert accepted.name == "calls.jsonl"


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    inbox = Inbox("calls", UPath(tmp_path / "nowhere"))

    assert (inbox.waiting(), inbox.accepted(), inbox.strangers(frozenset())) == ([], None, [])


def test_the_inbox_lies_in_the_data_folder_unless_the_yaml_names_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AUTOSR_HOME", str(tmp_path))

    places = [str(Inbox.of("calls", named).folder) for named in (None, "new/calls", "/drop", "memory://drop/in")]

    assert places == [str(tmp_path / "incoming"), str(tmp_path / "new" / "calls"), "/drop", "memory://drop/in"]


def planted_line(name: str) -> bytes:
    return planted(name)[0].model_dump_json().encode() + b"\n"

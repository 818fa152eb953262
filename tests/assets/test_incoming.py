"""New files of a dataset: which files belong to it, and where accepted and rejected files are moved."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from upath import UPath

from autosr_assets.automation.incoming import Inbox
from tests.assets.commands import planted, write_prompts


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[UPath]:
    folder = UPath(tmp_path / "incoming") if request.param == "local" else UPath("memory://inbox/incoming")
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    if request.param == "memory":
        folder.fs.rm("/inbox", recursive=True)


@pytest.fixture
def valid_file(tmp_path: Path) -> bytes:
    return Path(write_prompts(tmp_path / "valid.json", planted("a", "b"))).read_bytes()


def test_a_valid_file_replaces_the_accepted_file(folder: UPath, valid_file: bytes) -> None:
    inbox = Inbox("calls", folder)
    (folder / "calls.json").write_bytes(valid_file)
    assert inbox.accepted() is None

    faults = [inbox.accept_or_reject(file, skip_invalid=False) for file in inbox.new_files()]
    (folder / "calls.jsonl").write_bytes(b"".join(planted_line(name) for name in ("a", "c")))
    faults += [inbox.accept_or_reject(file, skip_invalid=False) for file in inbox.new_files()]

    assert faults == [None, None]
    assert inbox.new_files() == []
    assert inbox.accepted() == folder.parent / "datasets" / "calls.jsonl"
    assert [file.name for file in (folder.parent / "datasets").iterdir()] == ["calls.jsonl"]


def test_an_invalid_file_is_rejected_with_all_its_faults_in_a_file_beside_it(folder: UPath, valid_file: bytes) -> None:
    inbox = Inbox("calls", folder)
    (folder / "calls.json").write_bytes(valid_file.replace(b'"candidate_id": "c1"', b'"candidate_id": "c0"'))

    faults = inbox.accept_or_reject(inbox.new_files()[0], skip_invalid=False)

    rejected = folder.parent / "rejected"
    assert faults is not None
    assert "prompts[0].candidates" in faults
    assert "prompts[1].candidates" in faults
    assert (rejected / "calls.json.error.txt").read_text() == faults
    assert (rejected / "calls.json").exists()
    assert (inbox.new_files(), inbox.accepted()) == ([], None)


def test_a_file_belongs_to_the_dataset_of_its_stem_if_its_suffix_is_supported(folder: UPath) -> None:
    for name in (
        "calls.json",
        "calls.CSV",
        "calls.json.part",
        "calls.tmp",
        "other.json",
        "unknown.json",
        ".hidden.json",
    ):
        (folder / name).write_bytes(b"{}")
    inbox = Inbox("calls", folder)

    assert {file.name for file in inbox.new_files()} == {"calls.json", "calls.CSV"}
    assert inbox.unmatched_files(frozenset({"calls", "other"})) == ["calls.json.part", "calls.tmp", "unknown.json"]


def test_the_newer_of_two_files_is_accepted(tmp_path: Path, valid_file: bytes) -> None:
    folder = UPath(tmp_path / "incoming")
    folder.mkdir()
    for name, age in (("calls.json", 20), ("calls.jsonl", 10)):
        (folder / name).write_bytes(valid_file if name.endswith("json") else planted_line("new"))
        os.utime(folder / name, (1_700_000_000 - age, 1_700_000_000 - age))
    inbox = Inbox("calls", folder)

    for file in inbox.new_files():
        inbox.accept_or_reject(file, skip_invalid=False)

    accepted = inbox.accepted()
    assert accepted is not None
    assert accepted.name == "calls.jsonl"


def test_a_folder_that_does_not_exist_has_no_files(tmp_path: Path) -> None:
    inbox = Inbox("calls", UPath(tmp_path / "nowhere"))

    assert (inbox.new_files(), inbox.accepted(), inbox.unmatched_files(frozenset())) == ([], None, [])


def test_a_relative_folder_of_the_inbox_is_relative_to_the_data_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AUTOSR_HOME", str(tmp_path))

    folders = [str(Inbox.of("calls", folder).folder) for folder in (None, "new/calls", "/drop", "memory://drop/in")]

    assert folders == [str(tmp_path / "incoming"), str(tmp_path / "new" / "calls"), "/drop", "memory://drop/in"]


def planted_line(name: str) -> bytes:
    return planted(name)[0].model_dump_json().encode() + b"\n"

"""Dataset files of every format, read into prompts."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from upath import UPath

from autosr_lib.errors import DatasetError
from autosr_lib.storage.datasets import read_dataset
from tests.storage.dataset_files import (
    CSV_ROWS,
    EXAMPLES,
    HEADER,
    SHARED,
    candidate,
    flat_rows,
    json_of,
    labelled,
    parquet_of,
    prompt,
    read,
)


def test_a_file_in_an_object_store_is_read_like_a_local_one() -> None:
    path = UPath("memory://autosr-tests/data.JSON")
    path.write_bytes(json_of(prompt()))

    dataset = read_dataset(path)

    assert dataset.prompts[0].prompt_id == "p1"
    assert dataset.path == "memory://autosr-tests/data.JSON"


@pytest.mark.parametrize(
    "data", [json_of(prompt()), json.dumps([prompt()]).encode(), b"\xef\xbb\xbf" + json_of(prompt())]
)
def test_json_may_be_a_mapping_or_a_bare_list_and_may_open_with_a_byte_order_mark(tmp_path: Path, data: bytes) -> None:
    dataset = read(tmp_path, "data.json", data)

    assert [candidate.candidate_id for candidate in dataset.prompts[0].candidates] == ["a", "b"]
    assert dataset.prompts[0].candidates[0].source == ""
    assert dataset.warnings == dataset.faults == dataset.rejected == ()


def test_ids_and_texts_are_kept_whatever_they_hold(tmp_path: Path) -> None:
    ids = ["../../etc", "🦜", "a\nb", "x" * 300, "C:\\nul", " ", "\u2028", "null"]

    dataset = read(tmp_path, "ids.jsonl", "\n".join(json.dumps(prompt(i), ensure_ascii=False) for i in ids).encode())

    assert [item.prompt_id for item in dataset.prompts] == ids


def test_min_candidates_can_be_lowered_to_one(tmp_path: Path) -> None:
    dataset = read(tmp_path, "one.json", json_of(prompt(candidates=[candidate()])), min_candidates=1)

    assert len(dataset.prompts[0].candidates) == 1


def test_labels_of_only_some_candidates_are_kept_and_warned_about(tmp_path: Path) -> None:
    dataset = read(
        tmp_path, "data.json", json_of(labelled({"rank": 1, "quality": 2}, {"rank": None}, {"quality": 0.5}))
    )

    assert dataset.prompts[0].candidates[0].metadata == {"rank": 1, "quality": 2.0}
    assert dataset.prompts[0].candidates[1].metadata == {}
    assert dataset.warnings == (
        "prompts[0]: 1 of 3 candidates have no quality, so quality is not used here",
        "prompts[0]: 2 of 3 candidates have no rank, so rank is not used here",
    )


def test_unknown_keys_and_empty_texts_are_warned_about_a_few_times_each(tmp_path: Path) -> None:
    prompts = [prompt(f"p{i}", candidates=[candidate("a", text="", rank=1), candidate("b")]) for i in range(5)]
    data = json.dumps({"version": 2, "prompts": prompts}).encode()

    dataset = read(tmp_path, "data.json", data)

    assert "version: unknown key, not read" in dataset.warnings
    assert "prompts[2].candidates[0].rank: unknown key, not read; a label belongs in metadata.rank" in dataset.warnings
    assert "prompts[0].candidates[0].text: is empty" in dataset.warnings
    assert "empty text: 2 more" in dataset.warnings
    assert len(dataset.warnings) == 9


def test_a_csv_row_is_a_candidate_and_its_other_columns_are_metadata(tmp_path: Path) -> None:
    rows = (
        "prompt_id,prompt,candidate_id,text,source,rank,metadata.quality,model,metadata.a.b,prompt_metadata.topic\n"
        'p1,"Say ""hi"",\r\nplease",a,Hi,m1,2.0,.5,gpt,x,tone\n'
        "p2,Other,a,,,,,,,\n"
        "\n"
        "p1,,b,Hello,, 1 ,7,,,\n"
        "p2,Other,b,x,,,,,,\n"
    )

    first, second = read(tmp_path, "data.csv", rows.encode()).prompts

    assert first.prompt == 'Say "hi",\r\nplease'
    assert first.metadata == {"topic": "tone"}
    assert first.candidates[0].source == "m1"
    assert first.candidates[0].metadata == {"rank": 2, "quality": 0.5, "model": "gpt", "a.b": "x"}
    assert first.candidates[1].metadata == {"rank": 1, "quality": 7.0}
    assert second.candidates[0].text == ""


def test_a_csv_cell_may_be_larger_than_the_default_limit(tmp_path: Path) -> None:
    text = "x" * 300_000

    dataset = read(tmp_path, "data.csv", (HEADER + CSV_ROWS + f"p1,Say hi,c,{text},,\n").encode())

    assert dataset.prompts[0].candidates[2].text == text


def test_a_column_without_a_name_is_warned_about(tmp_path: Path) -> None:
    dataset = read(tmp_path, "data.csv", b",prompt_id,prompt,candidate_id,text\n0,p,x,a,y\n1,p,x,b,z\n")

    assert dataset.warnings == ("column 1: has no name, not read",)


def test_flat_parquet_has_typed_labels_and_may_hold_metadata_as_a_struct(tmp_path: Path) -> None:
    rows = flat_rows(
        {"rank": 1.0, "quality": Decimal("0.91"), "metadata": {"note": "x", "n": 3}, "prompt_metadata": {"topic": "t"}},
        {"rank": 2.0, "quality": Decimal("0.5"), "metadata": {"note": None, "n": 4}, "prompt_metadata": {"topic": "t"}},
    )

    dataset = read(tmp_path, "data.parquet", parquet_of(rows))

    first, second = dataset.prompts[0].candidates
    assert first.metadata == {"rank": 1, "quality": 0.91, "note": "x", "n": 3}
    assert second.metadata == {"rank": 2, "quality": 0.5, "n": 4}
    assert dataset.prompts[0].metadata == {"topic": "t"}


@pytest.mark.parametrize(
    ("name", "prompts", "label"),
    [
        ("demo_dataset", 3, "quality"),
        ("demo_dataset_with_rank", 3, "rank"),
        ("single_case", 1, None),
        ("single_case_with_rank", 1, "rank"),
        ("call_summary_dataset_with_rank", 4, "rank"),
        ("call_summary_dataset_with_rank_single", 1, "rank"),
    ],
)
def test_every_example_is_read_without_a_warning(name: str, prompts: int, label: str | None) -> None:
    dataset = read_dataset(str(EXAMPLES / f"{name}.json"))

    candidates = [candidate for item in dataset.prompts for candidate in item.candidates]
    assert dataset.warnings == ()
    assert len(dataset.prompts) == prompts
    assert [len(item.candidates) for item in dataset.prompts] == [6] * prompts
    assert all((label in candidate.metadata) if label else not candidate.metadata for candidate in candidates)
    assert all(candidate.source for candidate in candidates)


@pytest.mark.parametrize(("name", "prompts", "candidates"), [("pandalm", 150, 5), ("summeval", 100, 16)])
def test_real_labelled_data_is_read_completely(name: str, prompts: int, candidates: int) -> None:
    if not (path := SHARED / f"{name}.json").exists():
        pytest.skip(f"{path} is not part of the project")

    dataset = read_dataset(str(path))

    assert len(dataset.prompts) == prompts
    assert max(len(item.candidates) for item in dataset.prompts) == candidates
    assert dataset.warnings == ()
    assert all(candidate.quality is not None for item in dataset.prompts for candidate in item.candidates)


FILES_WITHOUT_CANDIDATES = {
    "bare.json": json_of(
        {"prompt_id": "p1", "prompt": "Say."}, {"prompt_id": "p2", "prompt": "Say.", "candidates": []}
    ),
    "bare.csv": b"prompt_id,prompt\np1,Say.\np2,Say.\n",
    "some.csv": b"prompt_id,prompt,candidate_id,text\np1,Say.,,\np2,Say.,,\n",
}


@pytest.mark.parametrize("name", FILES_WITHOUT_CANDIDATES)
def test_prompts_without_candidates_are_read_only_where_none_are_needed(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FILES_WITHOUT_CANDIDATES[name])

    dataset = read_dataset(str(path), min_candidates=0)

    assert [(item.prompt_id, item.candidates) for item in dataset.prompts] == [("p1", ()), ("p2", ())]
    with pytest.raises(DatasetError, match=r"response_models|column candidate_id"):
        read_dataset(str(path))

"""Faulty dataset files: each fault is reported with its location."""

import json
import math
from pathlib import Path

import pytest

from autosr_lib.errors import DatasetError
from autosr_lib.storage.datasets import read_dataset
from tests.storage.dataset_files import (
    CSV_ROWS,
    HEADER,
    candidate,
    flat_rows,
    json_of,
    labelled,
    lines_of,
    parquet_of,
    prompt,
    read,
)

NESTED_LISTS = "[" * 100_000
FAULTY_FILES = [
    # name, bytes, what the message must hold
    ("empty.json", b"", "the file is empty"),
    ("blank.json", b" \n ", "the file is empty"),
    ("empty.jsonl", b"", "the file is empty"),
    ("empty.csv", b"", "the file is empty"),
    ("empty.parquet", b"", "the file is empty"),
    ("none.json", b'{"prompts": []}', "holds no prompts"),
    ("header.csv", HEADER.encode(), "holds no prompts"),
    ("data.txt", b"hi", "allowed are .json, .jsonl, .ndjson, .csv, .parquet"),
    ("noext", b"hi", "no suffix"),
    ("cut.json", json_of(prompt())[:-30], "line 1 column"),
    ("cut.jsonl", lines_of(prompt("p1"), prompt("p2"))[:-9], "line 2: column"),
    ("lines.json", lines_of(prompt("p1"), prompt("p2")), "line 2 column 1: Extra data; one prompt a line is a .jsonl"),
    ("key.json", b'{"data": []}', "prompts: is missing"),
    ("scalar.json", b"7", "prompts: 7 is not a list"),
    ("mapping.json", b'{"prompts": {"p1": {}}}', "prompts: a mapping of 1 is not a list"),
    ("items.json", b'[7, "x"]', "prompts[0]: 7 is not a mapping"),
    ("utf16.json", json_of(prompt()).decode().encode("utf-16"), "UTF-16"),
    ("utf16.csv", (HEADER + CSV_ROWS).encode("utf-16-le"), "UTF-16"),
    ("latin.json", b'[{"prompt": "caf\xe9"}]', "byte 16: 0xe9 is not valid UTF-8"),
    ("latin-bom.csv", b"\xef\xbb\xbfprompt\xff", "byte 9: 0xff is not valid UTF-8"),
    ("deep.json", NESTED_LISTS.encode(), "nested deeper than 64"),
    ("deep.jsonl", NESTED_LISTS.encode(), "line 1: lists and mappings are nested deeper than 64"),
    ("deep2.json", json_of(prompt(metadata={"a": json.loads("[" * 80 + "]" * 80)})), "nested deeper than 64"),
    ("repeat.json", b'{"prompts": [], "prompts": []}', "the file: the key 'prompts' repeats"),
    ("repeat2.json", b'[{"prompt_id": "a", "prompt_id": "b"}]', "prompts[0]: the key 'prompt_id' repeats"),
    ("no-id.json", json_of({"prompt": "x", "candidates": []}), "prompts[0].prompt_id: is missing"),
    ("empty-id.json", json_of(prompt("")), "prompts[0].prompt_id: is empty"),
    ("number-id.json", json_of(prompt(7)), "prompts[0].prompt_id: 7 is not text"),
    ("null-id.json", json_of(prompt(None)), "prompts[0].prompt_id: is missing"),
    ("twice.json", json_of(prompt("p1"), prompt("p1")), "prompts[1].prompt_id: 'p1' is also the id of prompts[0]"),
    ("twice.jsonl", lines_of(prompt("p1"), prompt("p1")), "line 2: prompt_id: 'p1' is also the id of line 1"),
    (
        "twins.json",
        json_of(prompt(candidates=[candidate("a"), candidate("a")])),
        "prompts[0].candidates[1].candidate_id: 'a' is also the id of prompts[0].candidates[0]",
    ),
    ("no-prompt.json", json_of(prompt(prompt=None)), "prompts[0].prompt: is missing"),
    ("empty-prompt.json", json_of(prompt(prompt="")), "prompts[0].prompt: is empty"),
    ("list-prompt.json", json_of(prompt(prompt=["a"])), "prompts[0].prompt: a list of 1 is not text"),
    ("no-candidates.json", json_of(prompt(candidates=None)), "prompts[0].candidates: is missing"),
    ("text-candidates.json", json_of(prompt(candidates="ab")), "prompts[0].candidates: 'ab' is not a list"),
    (
        "one.json",
        json_of(prompt(candidates=[candidate()])),
        "prompts[0].candidates: 1 is too few; give at least 2, or response_models that answer the prompt",
    ),
    ("odd.jsonl", lines_of(prompt(candidates=[candidate(), "b"])), "line 1: candidates[1]: 'b' is not a mapping"),
    ("no-text.jsonl", lines_of(prompt(candidates=[candidate(), {"candidate_id": "b"}])), "line 1: candidates[1].text:"),
    ("source.json", json_of(prompt(candidates=[candidate(source=3), candidate("b")])), "candidates[0].source: 3 is"),
    ("metadata.json", json_of(prompt(metadata=[1])), "prompts[0].metadata: a list of 1 is not a mapping"),
    ("rank-0.json", json_of(labelled({"rank": 0}, {"rank": 1})), "candidates[0].metadata.rank: 0 is not a rank"),
    ("rank-half.json", json_of(labelled({"rank": 1.5}, {"rank": 1})), "metadata.rank: 1.5 is not a rank"),
    ("rank-text.json", json_of(labelled({"rank": "1"}, {"rank": 2})), "metadata.rank: '1' is not a number"),
    ("rank-true.json", json_of(labelled({"rank": True}, {"rank": 2})), "metadata.rank: true is not a number"),
    ("quality-text.json", json_of(labelled({"quality": "good"}, {})), "metadata.quality: 'good' is not a number"),
    ("quality-nan.json", json_of(labelled({"quality": math.nan}, {})), "metadata.quality: nan is not a finite number"),
    ("quality-inf.json", json_of(labelled({"quality": -math.inf}, {})), "metadata.quality: -inf is not a finite"),
    ("huge-float.json", json_of(labelled({"quality": 0}, {})).replace(b": 0}", b": 1e999}"), "inf is not a finite"),
    ("nan.json", json_of(prompt(metadata={"x": [math.nan]})), "prompts[0].metadata.x[0]: nan is not a finite number"),
    ("nan-unknown.json", json_of(prompt(other=math.nan)), "prompts[0].other: nan is not a finite number"),
    ("huge.json", json_of(prompt(metadata={"x": 0})).replace(b'"x": 0', b'"x": ' + b"9" * 9999), "9999 digits"),
    ("huge-rank.json", json_of(labelled({"rank": 2**70}, {"rank": 1})), "metadata.rank: an integer of"),
    (
        "surrogate.json",
        b'[{"prompt_id": "\\ud800"}]',
        "prompts[0].prompt_id: '\\ud800' contains half of a surrogate pair",
    ),
    ("surrogate-key.json", json_of(prompt(metadata={"\ud800": 1})), "the key '\\ud800' is not well-formed text"),
    ("column.csv", b"prompt_id,prompt,text\np1,x,y\n", "column candidate_id: is missing"),
    ("semicolon.csv", b"prompt_id;prompt;candidate_id;text\n", "'prompt_id;prompt;candidate_id;text'"),
    ("ragged.csv", (HEADER + CSV_ROWS + "p1,Say hi\n").encode(), "row 4: has 2 cells, the header has 6"),
    ("wide.csv", (HEADER + CSV_ROWS + "p1,Say hi,c,x,,,,\n").encode(), "row 4: has 8 cells, the header has 6"),
    ("nul.csv", (HEADER + CSV_ROWS + "p1,Say hi,c,a\0b,,\n").encode(), "row 4: column 4: contains a NUL byte"),
    ("quote.csv", (HEADER + 'p1,"Say hi,a,Hi,1,\n').encode(), "a quote is missing or stray"),
    ("no-id.csv", (HEADER + CSV_ROWS + ",Say hi,c,Hey,,\n").encode(), "row 4: prompt_id: is missing"),
    ("no-candidate-id.csv", (HEADER + CSV_ROWS + "p1,Say hi,,Hey,,\n").encode(), "row 4: candidate_id: is missing"),
    (
        "twins.csv",
        (HEADER + CSV_ROWS + "p1,Say hi,a,Hey,,\n").encode(),
        "row 4: candidate_id: 'a' is also the id of row 2",
    ),
    (
        "differs.csv",
        (HEADER + CSV_ROWS + "p1,Say ho,c,Ho,,\n").encode(),
        "row 4: prompt: 'Say ho' is not 'Say hi' in row 2",
    ),
    ("no-prompt.csv", (HEADER + "p1,,a,Hi,,\np1,,b,Ho,,\n").encode(), "row 2: prompt: is missing"),
    (
        "rank.csv",
        (HEADER + CSV_ROWS + "p1,Say hi,c,Hey,first,\n").encode(),
        "row 4: metadata.rank: 'first' is not a number",
    ),
    (
        "nan.csv",
        (HEADER + CSV_ROWS + "p1,Say hi,c,Hey,,nan\n").encode(),
        "row 4: metadata.quality: 'nan' is not a number",
    ),
    (
        "inf.csv",
        (HEADER + CSV_ROWS + "p1,Say hi,c,Hey,,1e999\n").encode(),
        "row 4: metadata.quality: inf is not a finite",
    ),
    (
        "same.csv",
        b"prompt_id,prompt,candidate_id,text,rank,metadata.rank\n",
        "column 'metadata.rank': fills the same field as",
    ),
    ("columns.csv", b"prompt_id,prompt,candidate_id,text,x,x\n", "column 'x': fills the same field as"),
    ("dot.csv", b"prompt_id,prompt,candidate_id,text,metadata.\n", "column 'metadata.': has no name after the dot"),
    (
        "json.csv",
        b"prompt_id,prompt,candidate_id,text,metadata\np,x,a,y,{}\n",
        "row 2: metadata: '{}' is not a mapping",
    ),
    ("text.parquet", b"this is not parquet at all", "cannot be read as Parquet"),
    ("cut.parquet", parquet_of(flat_rows({}, {}))[:-20], "cannot be read as Parquet"),
    ("column.parquet", parquet_of([{"prompt_id": "p1", "prompt": "x"}]), "column candidate_id: is missing"),
    ("other.parquet", parquet_of([{"a": 1}]), "the columns 'a' are not a dataset's"),
    ("number.parquet", parquet_of(flat_rows({"prompt_id": 7})), "row 1: prompt_id: 7 is not a non-empty text"),
    ("nan.parquet", parquet_of(flat_rows({"quality": math.nan}, {"quality": 1.0})), "row 1: metadata.quality: nan"),
    ("rank.parquet", parquet_of(flat_rows({"rank": 1.5}, {"rank": 2.0})), "row 1: metadata.rank: 1.5 is not a rank"),
    ("bytes.parquet", parquet_of(flat_rows({"x": b"\xff"}, {})), "row 1: metadata.x: a bytes is not text"),
    ("one.parquet", parquet_of([prompt(candidates=[candidate()])]), "row 1: candidates: 1 is too few"),
    (
        "struct.parquet",
        parquet_of([prompt(candidates=[candidate(), candidate("a")])]),
        "row 1: candidates[1].candidate_id:",
    ),
]


@pytest.mark.parametrize(("name", "data", "expected"), FAULTY_FILES, ids=[name for name, _, _ in FAULTY_FILES])
def test_a_faulty_file_is_one_error_that_names_the_fault_and_its_place(
    tmp_path: Path, name: str, data: bytes, expected: str
) -> None:
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, name, data)

    assert expected in str(caught.value)
    assert name in str(caught.value)
    assert str(caught.value).isprintable()


def test_all_faults_are_listed_and_the_message_shows_twenty_and_a_count(tmp_path: Path) -> None:
    prompts = [prompt(i) for i in range(23)] + [prompt("good"), prompt("bad", prompt=None, candidates=[])]

    with pytest.raises(DatasetError) as caught:
        read(tmp_path, "many.json", json_of(*prompts))

    assert len(caught.value.faults) == 25
    assert str(caught.value).endswith("and 5 more")
    assert caught.value.faults[-1].startswith("prompts[24].candidates: 0 is too few")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("absent.json", "no such file"),
        (".", "this is a folder"),
        ("nul\0.json", "no such file"),
        ("a" * 5000 + ".json", "cannot be read"),
        ("nosuchprotocol://bucket/data.json", "cannot be read"),
    ],
)
def test_a_path_that_leads_nowhere_is_a_dataset_error(path: str, expected: str) -> None:
    with pytest.raises(DatasetError, match=expected):
        read_dataset(path)


def test_skip_invalid_drops_just_the_faulty_prompts_and_reports_each(tmp_path: Path) -> None:
    lines = lines_of(prompt("p1"), prompt(7), prompt("p3")) + b"\n{oops\n\n" + lines_of(prompt("p1"), prompt("p7"))

    dataset = read(tmp_path, "data.jsonl", lines, skip_invalid=True)

    assert [item.prompt_id for item in dataset.prompts] == ["p1", "p3", "p7"]
    assert dataset.rejected == ("line 2", "line 4", "line 6")
    assert [fault.split(":")[0] for fault in dataset.faults] == ["line 2", "line 4", "line 6"]


def test_skip_invalid_drops_a_prompt_with_a_ragged_row_and_keeps_the_others(tmp_path: Path) -> None:
    rows = HEADER + CSV_ROWS + "p2,x,a,y,,\np2,x\np2,x,c,z,,\n"

    dataset = read(tmp_path, "data.csv", rows.encode(), skip_invalid=True)

    assert [item.prompt_id for item in dataset.prompts] == ["p1"]
    assert dataset.faults == ("row 5: has 2 cells, the header has 6; quote cells that contain commas",)


@pytest.mark.parametrize(("name", "data"), [("all.json", json_of(prompt(1))), ("cut.json", b'{"prompts": [')])
def test_skip_invalid_does_not_hide_a_file_without_a_good_prompt(tmp_path: Path, name: str, data: bytes) -> None:
    with pytest.raises(DatasetError):
        read(tmp_path, name, data, skip_invalid=True)

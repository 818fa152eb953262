"""Dataset files of every format, good and bad."""

import csv
import gc
import io
import json
import math
import sys
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from upath import UPath

from autosr_lib.errors import DatasetError
from autosr_lib.storage.datasets import Dataset, DatasetReader, dataset_from_records, read_dataset

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
EXAMPLES = Path(__file__).parents[2] / "examples"
SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".parquet")
HEADER = "prompt_id,prompt,candidate_id,text,rank,quality\n"
CSV_ROWS = "p1,Say hi,a,Hi,1,0.9\np1,Say hi,b,Hello,2,0.5\n"

Record = dict[str, Any]


def candidate(candidate_id: object = "a", **fields: Any) -> Record:
    return {"candidate_id": candidate_id, "text": f"text of {candidate_id}"} | fields


def prompt(prompt_id: object = "p1", **fields: Any) -> Record:
    return {"prompt_id": prompt_id, "prompt": "Say hi.", "candidates": [candidate("a"), candidate("b")]} | fields


def labelled(*metadata: Mapping[str, Any]) -> Record:
    return prompt(candidates=[candidate(f"c{i}", metadata=dict(labels)) for i, labels in enumerate(metadata)])


def json_of(*prompts: object) -> bytes:
    return json.dumps({"prompts": prompts}).encode()


def lines_of(*prompts: object) -> bytes:
    return "\n".join(json.dumps(item) for item in prompts).encode()


def parquet_of(rows: Sequence[Record], schema: pa.Schema | None = None) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), sink)
    return sink.getvalue()


def read(folder: Path, name: str, data: bytes, **options: Any) -> Dataset:
    (folder / name).write_bytes(data)
    return read_dataset(str(folder / name), **options)


def outcome_of(reading: Callable[[], Dataset]) -> Dataset | DatasetError:
    try:
        return reading()
    except DatasetError as error:
        return error


def flat_rows(*rows: Record) -> list[Record]:
    base = {"prompt_id": "p1", "prompt": "Say hi", "text": "Hi"}
    return [base | {"candidate_id": f"c{i}"} | row for i, row in enumerate(rows)]


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
    ("surrogate.json", b'[{"prompt_id": "\\ud800"}]', "prompts[0].prompt_id: '\\ud800' holds half a character"),
    ("surrogate-key.json", json_of(prompt(metadata={"\ud800": 1})), "the key '\\ud800' is not well-formed text"),
    ("column.csv", b"prompt_id,prompt,text\np1,x,y\n", "column candidate_id: is missing"),
    ("semicolon.csv", b"prompt_id;prompt;candidate_id;text\n", "'prompt_id;prompt;candidate_id;text'"),
    ("ragged.csv", (HEADER + CSV_ROWS + "p1,Say hi\n").encode(), "row 4: has 2 cells, the header has 6"),
    ("wide.csv", (HEADER + CSV_ROWS + "p1,Say hi,c,x,,,,\n").encode(), "row 4: has 8 cells, the header has 6"),
    ("nul.csv", (HEADER + CSV_ROWS + "p1,Say hi,c,a\0b,,\n").encode(), "row 4: column 4: holds a NUL byte"),
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
        "column 'metadata.rank': says the same as",
    ),
    ("columns.csv", b"prompt_id,prompt,candidate_id,text,x,x\n", "column 'x': says the same as"),
    ("dot.csv", b"prompt_id,prompt,candidate_id,text,metadata.\n", "column 'metadata.': names nothing"),
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
    assert dataset.faults == ("row 5: has 2 cells, the header has 6; quote cells that hold commas",)


@pytest.mark.parametrize(("name", "data"), [("all.json", json_of(prompt(1))), ("cut.json", b'{"prompts": [')])
def test_skip_invalid_does_not_hide_a_file_without_a_good_prompt(tmp_path: Path, name: str, data: bytes) -> None:
    with pytest.raises(DatasetError):
        read(tmp_path, name, data, skip_invalid=True)


def test_min_candidates_can_be_lowered_to_one(tmp_path: Path) -> None:
    dataset = read(tmp_path, "one.json", json_of(prompt(candidates=[candidate()])), min_candidates=1)

    assert len(dataset.prompts[0].candidates) == 1


def test_labels_for_some_candidates_only_are_kept_and_warned_about(tmp_path: Path) -> None:
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


def test_records_in_memory_are_checked_like_a_file() -> None:
    loop: list[Any] = []
    loop.append(loop)

    dataset = dataset_from_records([prompt("p1"), prompt("p2")])

    assert [item.prompt_id for item in dataset.prompts] == ["p1", "p2"]
    assert len(dataset.sha256) == 64
    with pytest.raises(DatasetError, match=r"table: prompts\[0\].metadata.x.* nested deeper than 64"):
        dataset_from_records([prompt(metadata={"x": loop})], "table")
    with pytest.raises(DatasetError, match="a complex is not text"):
        dataset_from_records([prompt(metadata={"x": 1j})])


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
SOME_TEXT = TEXT.filter(bool)
LABELS = st.fixed_dictionaries(
    {},
    optional={
        "rank": st.integers(1, 99),
        "quality": st.floats(allow_nan=False, allow_infinity=False),
        "note": SOME_TEXT,
    },
)
CANDIDATES: st.SearchStrategy[Any] = st.lists(
    st.fixed_dictionaries({"candidate_id": SOME_TEXT, "text": TEXT, "source": TEXT, "metadata": LABELS}),
    min_size=2,
    max_size=4,
    unique_by=itemgetter("candidate_id"),
)
RECORDS: st.SearchStrategy[Any] = st.lists(
    st.fixed_dictionaries(
        {
            "prompt_id": SOME_TEXT,
            "prompt": SOME_TEXT,
            "candidates": CANDIDATES,
            "metadata": st.fixed_dictionaries({}, optional={"topic": SOME_TEXT}),
        }
    ),
    min_size=1,
    max_size=3,
    unique_by=itemgetter("prompt_id"),
)
METADATA = pa.struct([("rank", pa.int64()), ("quality", pa.float64()), ("note", pa.string())])
ANSWER = [("candidate_id", pa.string()), ("text", pa.string()), ("source", pa.string()), ("metadata", METADATA)]
NESTED = pa.schema(
    [
        ("prompt_id", pa.string()),
        ("prompt", pa.string()),
        ("metadata", pa.struct([("topic", pa.string())])),
        ("candidates", pa.list_(pa.struct(ANSWER))),
    ]
)
FLAT = (
    "prompt_id",
    "prompt",
    "prompt_metadata.topic",
    "candidate_id",
    "text",
    "source",
    "rank",
    "quality",
    "metadata.note",
)


def flattened(records: Sequence[Record]) -> list[Record]:
    return [
        {
            "prompt_id": item["prompt_id"],
            "prompt": item["prompt"],
            "prompt_metadata.topic": item["metadata"].get("topic"),
            "candidate_id": one["candidate_id"],
            "text": one["text"],
            "source": one["source"],
            "rank": one["metadata"].get("rank"),
            "quality": one["metadata"].get("quality"),
            "metadata.note": one["metadata"].get("note"),
        }
        for item in records
        for one in item["candidates"]
    ]


def csv_of(rows: Sequence[Record]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, FLAT)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def flat_parquet_of(rows: Sequence[Record]) -> bytes:
    labels = ("rank", "quality")
    return parquet_of(rows, pa.schema([(name, pa.float64() if name in labels else pa.string()) for name in FLAT]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=RECORDS)
def test_the_same_prompts_are_read_from_every_format(tmp_path: Path, records: list[Record]) -> None:
    rows = flattened(records)

    read_back = [
        read(tmp_path, "data.json", json_of(*records)).prompts,
        read(tmp_path, "data.jsonl", "\n".join(json.dumps(r, ensure_ascii=False) for r in records).encode()).prompts,
        read(tmp_path, "data.csv", csv_of(rows)).prompts,
        read(tmp_path, "flat.parquet", flat_parquet_of(rows)).prompts,
        read(tmp_path, "nested.parquet", parquet_of(records, NESTED)).prompts,
    ]

    expected = dataset_from_records(records).prompts
    assert json.loads(json.dumps([item.model_dump() for item in expected])) == records
    assert all(prompts == expected for prompts in read_back)
    assert {item.fingerprint for prompts in read_back for item in prompts} == {item.fingerprint for item in expected}


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["prompts", "prompt_id", "prompt", "candidates", "candidate_id", "text", "metadata", "rank"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
TEMPLATES = [json_of(prompt()), lines_of(prompt("p1"), prompt("p2")), (HEADER + CSV_ROWS).encode()]


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    data = draw(st.sampled_from(TEMPLATES))
    start = draw(st.integers(0, len(data)))
    return data[:start] + draw(st.binary(max_size=6)) + data[start + draw(st.integers(0, 9)) :]


ANY_BYTES = (
    st.binary(max_size=200)
    | st.binary(max_size=60).map(lambda middle: b"PAR1" + middle + b"PAR1")
    | JSON_VALUES.map(lambda value: json.dumps(value).encode())
    | st.text("prompt_id,candidate\n\r\"'\0; ", max_size=80).map(str.encode)
    | damaged_files()
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=ANY_BYTES, suffix=st.sampled_from(SUFFIXES), skip_invalid=st.booleans())
def test_any_bytes_are_a_dataset_or_a_dataset_error(
    tmp_path: Path, data: bytes, suffix: str, skip_invalid: bool
) -> None:
    outcome = outcome_of(lambda: read(tmp_path, f"any{suffix}", data, skip_invalid=skip_invalid))

    if isinstance(outcome, Dataset):
        assert outcome.prompts
        assert all(item.fingerprint for item in outcome.prompts)
    else:
        assert outcome.faults
        assert str(outcome).isprintable()


@settings(max_examples=200, deadline=None)
@given(records=st.lists(JSON_VALUES, max_size=4), skip_invalid=st.booleans())
def test_any_records_are_a_dataset_or_a_dataset_error(records: list[Any], skip_invalid: bool) -> None:
    outcome = outcome_of(lambda: dataset_from_records(records, skip_invalid=skip_invalid))

    if isinstance(outcome, Dataset):
        assert len(outcome.prompts) + len(outcome.rejected) == len(records)
    else:
        assert outcome.faults


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

    candidates = [one for item in dataset.prompts for one in item.candidates]
    assert dataset.warnings == ()
    assert len(dataset.prompts) == prompts
    assert [len(item.candidates) for item in dataset.prompts] == [6] * prompts
    assert all((label in one.metadata) if label else not one.metadata for one in candidates)
    assert all(one.source for one in candidates)


@pytest.mark.parametrize(("name", "prompts", "candidates"), [("pandalm", 150, 5), ("summeval", 100, 16)])
def test_real_labelled_data_is_read_whole(name: str, prompts: int, candidates: int) -> None:
    if not (path := SHARED / f"{name}.json").exists():
        pytest.skip(f"{path} is not part of the project")

    dataset = read_dataset(str(path))

    assert len(dataset.prompts) == prompts
    assert max(len(item.candidates) for item in dataset.prompts) == candidates
    assert dataset.warnings == ()
    assert all(one.quality is not None for item in dataset.prompts for one in item.candidates)


BARE_FILES = {
    "bare.json": json_of(
        {"prompt_id": "p1", "prompt": "Say."}, {"prompt_id": "p2", "prompt": "Say.", "candidates": []}
    ),
    "bare.csv": b"prompt_id,prompt\np1,Say.\np2,Say.\n",
    "some.csv": b"prompt_id,prompt,candidate_id,text\np1,Say.,,\np2,Say.,,\n",
}


@pytest.mark.parametrize("name", BARE_FILES)
def test_prompts_without_candidates_are_read_only_where_none_are_needed(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(BARE_FILES[name])

    dataset = read_dataset(str(path), min_candidates=0)

    assert [(one.prompt_id, one.candidates) for one in dataset.prompts] == [("p1", ()), ("p2", ())]
    with pytest.raises(DatasetError, match=r"response_models|column candidate_id"):
        read_dataset(str(path))


# --- files larger than memory ------------------------------------------------------------------------------------------

STREAMED = (".jsonl", ".csv", ".parquet", "flat.parquet")


def file_of(folder: Path, suffix: str, records: Sequence[Record]) -> Path:
    """Write records, whose candidates have a text only, in one of the formats."""
    flat = [
        {"prompt_id": one["prompt_id"], "prompt": one["prompt"], **shown}
        for one in records
        for shown in one["candidates"]
    ]
    data = {
        ".jsonl": lambda: lines_of(*records),
        ".csv": lambda: csv_of(flat),
        ".parquet": lambda: parquet_of(records),
        "flat.parquet": lambda: parquet_of(flat),
    }[suffix]()
    path = folder / f"data{suffix}"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("suffix", STREAMED)
def test_prompts_come_before_the_end_of_their_file_is_read_and_its_faults_at_the_end(
    tmp_path: Path, suffix: str
) -> None:
    records = [*(prompt(f"p{i}") for i in range(1000)), prompt("last", candidates=[candidate("a")])]
    prompts = iter(DatasetReader(file_of(tmp_path, suffix, records)))

    first = [next(prompts).prompt_id for _ in range(300)]

    assert first == [f"p{i}" for i in range(300)]
    with pytest.raises(DatasetError, match=r"(line|row) \d+: candidates: 1 is too few"):
        list(prompts)


@pytest.mark.parametrize("suffix", STREAMED)
def test_a_file_much_larger_than_what_is_in_memory_at_once(tmp_path: Path, suffix: str) -> None:
    long = [prompt(f"p{i}", candidates=[candidate(c, text=c * 10_000) for c in "ab"]) for i in range(2000)]
    path = file_of(tmp_path, suffix, long)
    del long
    reader = DatasetReader(path)

    tracemalloc.start()
    count = sum(1 for _ in reader)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (count, reader.contents.prompts, reader.contents.candidates) == (2000, 2000, 4000)
    assert peak < 12_000_000  # the texts are 40 MB; 256 rows are read at once


def test_rows_of_prompts_that_are_not_neighbours_are_put_together_in_the_order_of_the_first_ones(
    tmp_path: Path,
) -> None:
    rows = flat_rows(*({"prompt_id": name} for name in ("p2", "p1", "p3", "p1", "p3", "p2")))
    whole = ["p2", "p1", "p3"]

    found = [
        read(tmp_path, "data.csv", csv_of(rows)).prompts,
        read(tmp_path, "data.parquet", parquet_of(rows)).prompts,
    ]

    assert [[one.prompt_id for one in prompts] for prompts in found] == [whole, whole]
    assert [one.candidate_id for one in found[0][0].candidates] == ["c0", "c5"]


def test_a_reader_that_is_read_twice_finds_the_same(tmp_path: Path) -> None:
    reader = DatasetReader(file_of(tmp_path, ".csv", [prompt("p1"), prompt("p2")]))

    first, contents = list(reader), reader.contents

    assert (list(reader), reader.contents) == (first, contents)
    assert contents.sha256 == read_dataset(reader.path).sha256


@pytest.mark.parametrize("suffix", STREAMED)
def test_a_reader_may_be_left_before_the_end(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    unraisable: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    prompts = iter(DatasetReader(file_of(tmp_path, suffix, [prompt(f"p{i}") for i in range(2000)])))

    first = next(prompts)
    del prompts
    gc.collect()

    assert first.prompt_id == "p0"
    assert not unraisable

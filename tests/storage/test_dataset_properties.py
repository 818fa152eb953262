"""Properties of reading datasets: formats agree, and any bytes are a dataset or a `DatasetError`."""

import json
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autosr_lib.errors import DatasetError
from autosr_lib.storage.datasets import Dataset
from tests.storage.dataset_files import (
    CSV_ROWS,
    HEADER,
    NESTED,
    SUFFIXES,
    Record,
    csv_of,
    flat_parquet_of,
    flattened,
    json_of,
    lines_of,
    parquet_of,
    prompt,
    read,
)


def outcome_of(reading: Callable[[], Dataset]) -> Dataset | DatasetError:
    try:
        return reading()
    except DatasetError as error:
        return error


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

    expected = read_back[0]
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


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(JSON_VALUES, max_size=4), skip_invalid=st.booleans())
def test_any_records_are_a_dataset_or_a_dataset_error(tmp_path: Path, records: list[Any], skip_invalid: bool) -> None:
    outcome = outcome_of(lambda: read(tmp_path, "any.json", json_of(*records), skip_invalid=skip_invalid))

    if isinstance(outcome, Dataset):
        assert len(outcome.prompts) + len(outcome.rejected) == len(records)
    else:
        assert outcome.faults

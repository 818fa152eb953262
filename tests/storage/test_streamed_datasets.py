"""Datasets are read as a stream: one prompt after the other, with bounded memory."""

import gc
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from autosr_lib.errors import DatasetError
from autosr_lib.storage.datasets import DatasetReader, read_dataset
from tests.storage.dataset_files import (
    STREAMED_FORMATS,
    candidate,
    csv_of,
    file_of,
    flat_rows,
    parquet_of,
    prompt,
    read,
)


@pytest.mark.parametrize("suffix", STREAMED_FORMATS)
def test_prompts_are_yielded_while_the_file_is_read_and_faults_are_raised_at_the_end(
    tmp_path: Path, suffix: str
) -> None:
    records = [*(prompt(f"p{i}") for i in range(1000)), prompt("last", candidates=[candidate("a")])]
    prompts = iter(DatasetReader(file_of(tmp_path, suffix, records)))

    first = [next(prompts).prompt_id for _ in range(300)]

    assert first == [f"p{i}" for i in range(300)]
    with pytest.raises(DatasetError, match=r"(line|row) \d+: candidates: 1 is too few"):
        list(prompts)


@pytest.mark.parametrize("suffix", STREAMED_FORMATS)
def test_a_large_file_is_never_completely_in_memory(tmp_path: Path, suffix: str) -> None:
    long = [prompt(f"p{i}", candidates=[candidate(c, text=c * 10_000) for c in "ab"]) for i in range(2000)]
    path = file_of(tmp_path, suffix, long)
    del long
    reader = DatasetReader(path)

    tracemalloc.start()
    count = sum(1 for _ in reader)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (count, reader.findings.prompts, reader.findings.candidates) == (2000, 2000, 4000)
    assert peak < 12_000_000  # the texts are 40 MB; 256 rows are read at once


def test_rows_of_a_prompt_are_grouped_when_they_are_not_adjacent_in_the_order_of_the_first_rows(
    tmp_path: Path,
) -> None:
    rows = flat_rows(*({"prompt_id": name} for name in ("p2", "p1", "p3", "p1", "p3", "p2")))
    ids = ["p2", "p1", "p3"]

    datasets = [
        read(tmp_path, "data.csv", csv_of(rows)).prompts,
        read(tmp_path, "data.parquet", parquet_of(rows)).prompts,
    ]

    assert [[item.prompt_id for item in prompts] for prompts in datasets] == [ids, ids]
    assert [candidate.candidate_id for candidate in datasets[0][0].candidates] == ["c0", "c5"]


def test_a_reader_that_is_iterated_twice_gives_the_same(tmp_path: Path) -> None:
    reader = DatasetReader(file_of(tmp_path, ".csv", [prompt("p1"), prompt("p2")]))

    first, findings = list(reader), reader.findings

    assert (list(reader), reader.findings) == (first, findings)
    assert findings.sha256 == read_dataset(reader.path).sha256


@pytest.mark.parametrize("suffix", STREAMED_FORMATS)
def test_an_iteration_may_be_abandoned_before_the_end(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unraisable: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    prompts = iter(DatasetReader(file_of(tmp_path, suffix, [prompt(f"p{i}") for i in range(2000)])))

    first = next(prompts)
    del prompts
    gc.collect()

    assert first.prompt_id == "p0"
    assert not unraisable

"""A run reads each best rubric once for the check of the export, and takes it from memory for everything else."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from autosr_lib.storage.store import TableStore
from autosr_lib.storage.table_names import TableName
from tests.assets.commands import Home, planted, write_prompts
from tests.fakes import fake_roles

SMALL = ("--population-size", "4", "--mutations-per-round", "2", "--generations", "1")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Return how often the complete best rubric of each prompt was read."""
    counts: Counter[str] = Counter()
    read = TableStore.read

    def counting_read(
        store: TableStore, table: TableName, key: str | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table | None:
        if table.asset == "best_rubrics" and columns is None:
            counts[str(key)] += 1
        return read(store, table, key, columns)

    monkeypatch.setattr(TableStore, "read", counting_read)
    return counts


def test_a_new_search_reads_each_best_rubric_once(tmp_path: Path, reads: Counter[str]) -> None:
    path = write_prompts(tmp_path / "calls.json", planted("a", "b"))

    result = Home(tmp_path / "home").autosr("search", path, *SMALL, roles=fake_roles(noise=0.3))

    assert result.code == 0
    assert reads == {"a": 1, "b": 1}


def test_a_search_without_anything_to_do_reads_each_best_rubric_once(tmp_path: Path, reads: Counter[str]) -> None:
    path, home = write_prompts(tmp_path / "calls.json", planted("a", "b")), Home(tmp_path / "home")
    home.autosr("search", path, *SMALL, roles=fake_roles(noise=0.3))
    reads.clear()

    result = home.autosr("search", path, *SMALL, roles=fake_roles(noise=0.3))

    assert result.code == 0
    assert reads == {"a": 1, "b": 1}


def test_an_export_in_a_run_of_its_own_reads_each_best_rubric_at_most_twice(
    tmp_path: Path, reads: Counter[str]
) -> None:
    path, home = write_prompts(tmp_path / "calls.json", planted("a", "b")), Home(tmp_path / "home")
    home.autosr("search", path, *SMALL, roles=fake_roles(noise=0.3))
    reads.clear()

    result = home.autosr("search", path, *SMALL, "--output", str(tmp_path / "other.json"), roles=fake_roles(noise=0.3))

    assert result.code == 0
    assert reads == {"a": 2, "b": 2}

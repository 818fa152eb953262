"""Scope `global_batch` in the graph: a generation evolves only the hardest prompts of the dataset."""

from pathlib import Path

import pytest

from autosr_lib.errors import StorageError
from autosr_lib.pipeline.hard_prompts import choose_hard_prompts, read_hard_prompts
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.table_names import TableName
from autosr_lib.storage.tables.columns import Status, UnsuccessfulRow, unsuccessful_table
from autosr_lib.storage.tables.hard_prompts import hard_prompts_table
from autosr_lib.storage.tables.population import POPULATION
from tests.assets.commands import Home, dataset_table, planted, write_prompts
from tests.fakes import fake_roles

BATCH = ("--scope", "global_batch", "--batch-size", "1", "--generations", "2", "--initial-proposals", "0")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_each_generation_evolves_the_hardest_prompts_and_carries_the_others(home: Home, tmp_path: Path) -> None:
    path = write_prompts(tmp_path / "calls.json", planted("a", "b", "c"))

    result = home.autosr("search", path, *BATCH, roles=fake_roles())

    assert result.code == 0, result.err
    for number in (1, 2):
        table = home.store.read(TableName.hard_prompts("calls_global_batch", number))
        assert table is not None
        hard = {row["prompt_id"] for row in table.to_pylist() if row["is_hard"]}
        evolved = {
            key
            for key, rows in home.rows(f"calls_global_batch/generation_{number:02d}").items()
            if rows[0]["last_calls"]["proposer"]
        }
        assert len(hard) == 1
        assert evolved == hard


def test_a_second_run_changes_nothing(home: Home, tmp_path: Path) -> None:
    path = write_prompts(tmp_path / "calls.json", planted("a", "b"))
    home.autosr("search", path, *BATCH, roles=fake_roles())
    before = home.files()

    home.autosr("search", path, *BATCH, roles=fake_roles())

    assert home.files() == before


def test_hard_prompts_cannot_be_chosen_while_a_prompt_has_no_row(tmp_path: Path) -> None:
    store = TableStore(tmp_path)
    store.write(TableName.dataset("d"), None, dataset_table(planted("a", "b")))
    store.write(
        TableName.generation("s", 0),
        "a",
        unsuccessful_table(UnsuccessfulRow("a", Status.FAILED, "no", "f"), POPULATION),
    )

    with pytest.raises(StorageError, match=r"1 prompt has no row yet \('b'\)"):
        choose_hard_prompts(store, TableName.generation("s", 0), store.stored(TableName.dataset("d")), 1)


def test_a_withdrawn_prompt_need_not_have_a_row_and_a_failed_one_is_never_hard(tmp_path: Path) -> None:
    store = TableStore(tmp_path)
    store.write(TableName.dataset("d"), None, dataset_table(planted("a"), planted("withdrawn")))
    store.write(
        TableName.generation("s", 0),
        "a",
        unsuccessful_table(UnsuccessfulRow("a", Status.FAILED, "no", "f"), POPULATION),
    )

    store.write(
        TableName.hard_prompts("s", 1),
        None,
        hard_prompts_table(
            choose_hard_prompts(store, TableName.generation("s", 0), store.stored(TableName.dataset("d")), 5)
        ),
    )

    hard_prompts = read_hard_prompts(store.stored(TableName.hard_prompts("s", 1)))
    assert hard_prompts.prompt_ids == frozenset()
    assert not hard_prompts.are_complete

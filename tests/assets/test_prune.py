"""`autosr prune` deletes old data; no prompt becomes stale, and states that are needed later are computed again."""

import asyncio
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from autosr_assets.automation.pruning import vacuum
from autosr_assets.runtime.home import dagster_home
from autosr_lib.llm.cache.sqlite import SqliteReplyCache
from autosr_lib.pipeline.dataset_plan import DatasetPlan
from autosr_lib.pipeline.prompt_table import StepResult
from autosr_lib.pipeline.run_context import RunContext
from autosr_lib.pipeline.search_plan import SearchPlan
from autosr_lib.pipeline.search_runner import SearchRunner
from autosr_lib.search.settings import Structure
from autosr_lib.settings import DatasetRunSettings, SearchRunSettings
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.table_names import TableName
from autosr_lib.storage.tables.population import is_pruned, pruned_table
from tests.assets.commands import CommandResult, Home, dataset_table, fake_backend, planted, write_prompts
from tests.fakes import fake_roles

SMALL = ("--population-size", "4", "--mutations-per-round", "2")


def search(home: Home, path: str, generations: int, *options: str) -> CommandResult:
    roles = fake_roles(noise=0.3)
    return home.autosr("search", path, *SMALL, "--generations", str(generations), *options, roles=roles)


def is_kept(home: Home, generation: int, prompt: str = "a") -> bool:
    return not is_pruned(home.store.stored(TableName.generation("calls", generation), prompt).read())


def best(home: Home) -> dict[str, object]:
    return {key: rows[0] for key, rows in home.rows("calls/best_rubrics").items()}


@pytest.fixture
def path(tmp_path: Path) -> str:
    return write_prompts(tmp_path / "calls.json", planted("a", "b"))


def test_a_dry_run_prints_what_would_be_deleted_and_changes_nothing(tmp_path: Path, path: str) -> None:
    home = Home(tmp_path / "home")
    assert search(home, path, 3).code == 0
    before = home.files()

    young = home.autosr("prune", "--dry-run")
    old = home.autosr("prune", "--dry-run", "--days", "0")

    assert home.files() == before
    assert young.out.split()[:2] == ["generations", "0"]
    assert old.out.split()[:2] == ["generations", "4"]
    assert "calls/generation_02: 2" in old.out


def test_a_pruned_search_is_up_to_date_and_is_not_computed_again_in_a_wider_range(tmp_path: Path, path: str) -> None:
    home = Home(tmp_path / "home")
    assert search(home, path, 3).code == 0
    rubrics, size = best(home), home.store.path(TableName.generation("calls", 1), "a").stat().st_size

    pruned = home.autosr("prune", "generations", "--days", "0", "--yes")
    again = search(home, path, 3)
    write_prompts(Path(path), planted("a", "b", "c"))
    wider = search(home, path, 3, "--chunk-size", "3")

    assert (pruned.code, again.code, wider.code) == (0, 0, 0), pruned.err + wider.err
    assert [is_kept(home, number) for number in (1, 2, 3)] == [False, False, True]
    assert home.store.path(TableName.generation("calls", 1), "a").stat().st_size < size / 4
    assert "are up to date" in again.out
    assert {key: row for key, row in best(home).items() if key != "c"} == rubrics
    assert not is_kept(home, 1), "it was read, not computed"


def test_a_pruned_state_that_is_needed_is_computed_again_with_the_same_result(tmp_path: Path) -> None:
    pruned_root, complete_root = tmp_path / "pruned", tmp_path / "complete"
    for root in (pruned_root, complete_root):
        run(root, generations=3)
    store = TableStore(pruned_root)
    for number in (1, 2):
        table = TableName.generation("calls", number)
        for key, rows in list(store.scan(table)):
            store.write(table, key, pruned_table(rows))

    # A search with more generations continues from the last one; a search with fewer needs a pruned state.
    for generations in (4, 2):
        assert run(pruned_root, generations) == run(complete_root, generations)
    assert all(is_pruned(rows) for _, rows in store.scan(TableName.generation("calls", 2)))


def runner(root: Path, generations: int = 3) -> SearchRunner:
    """Return a search with fake roles, without Dagster."""
    run = RunContext(TableStore(root))
    run.backends.get = lambda *_: fake_backend(fake_roles(noise=0.3))  # type: ignore[method-assign]
    settings = SearchRunSettings.model_validate({"evolution": {"population_size": 4, "mutations_per_round": 2}})
    dataset = DatasetPlan("calls", DatasetRunSettings(path="-"))
    return SearchRunner(SearchPlan.of(dataset, "calls", Structure(generations=generations), settings, run.store), run)


def run(root: Path, generations: int) -> dict[str, object]:
    """Run all steps in the order of the assets, and return the best rubrics."""
    keys = ["a", "b"]
    search_runner = runner(root, generations)
    search_runner.run.store.write(TableName.dataset("calls"), None, dataset_table(planted(*keys)))

    async def steps() -> StepResult:
        await search_runner.dataset_runner.gather_preferences(keys)
        await search_runner.initial_rubrics(keys)
        for number in range(1, generations + 1):
            await search_runner.generation(number, keys)
        return await search_runner.best_rubrics(keys)

    result = asyncio.run(steps())
    assert not result.failed
    return {key: handle.read().to_pylist() for key, handle in result.handles.items()}


def test_a_prompt_that_is_not_done_keeps_its_generations(tmp_path: Path, path: str) -> None:
    home = Home(tmp_path / "home")
    assert search(home, path, 2).code == 0
    rows = home.store.stored(TableName.best_rubrics("calls"), "a").read()
    failed = rows.set_column(1, rows.schema.field(1), [["failed"]])
    home.store.write(TableName.best_rubrics("calls"), "a", failed)

    assert home.autosr("prune", "generations", "--days", "0", "--yes").code == 0

    assert (is_kept(home, 1, "a"), is_kept(home, 1, "b")) == (True, False)


def test_prompts_that_depend_on_each_other_keep_their_generations(tmp_path: Path, path: str) -> None:
    home = Home(tmp_path / "home")
    assert search(home, path, 2, "--scope", "global_batch").code == 0

    assert home.autosr("prune", "--dry-run", "--days", "0").out.split()[:2] == ["generations", "0"]


@pytest.mark.slow
def test_only_runs_that_no_asset_comes_from_are_deleted(tmp_path: Path, path: str) -> None:
    home = Home(tmp_path / "home")
    for seed in ("1", "2", "3", "4"):
        assert search(home, path, 1, "--seed", seed).code == 0
    before = dagster_runs(home)
    planned = home.autosr("prune", "runs", "--days", "0", "--dry-run")
    assert dagster_runs(home) == before

    result = home.autosr("prune", "runs", "--days", "0", "--yes")

    after = dagster_runs(home)
    assert result.code == 0
    assert len(before) == 4
    assert planned.out.split()[:2] == ["runs", "2"]
    assert [unused_pages(home.root / "dagster" / "history" / name) for name in ("runs.db", "runs/index.db")] == [0, 0]
    assert after == {before_id for before_id in before if before_id in after}
    assert len(after) == 2, "the first, which read the dataset, and the last"
    assert home.autosr("checks").code == 0
    assert {file.name.split(".")[0] for file in (home.root / "dagster" / "history" / "runs").glob("*-*.db")} == after


def test_replies_older_than_the_days_are_deleted(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    cache = SqliteReplyCache(home.root / "cache")
    cache.put("old", "an old reply")
    cache.put("new", "a new reply")
    cache.close()
    with sqlite3.connect(home.root / "cache" / "replies.sqlite") as db:
        db.execute("UPDATE replies SET at = ? WHERE key = 'old'", (time.time() - 40 * 86_400,))

    result = home.autosr("prune", "replies", "--yes")

    assert result.code == 0
    assert (cache.get("old"), cache.get("new")) == (None, "a new reply")


def test_without_a_terminal_nothing_is_deleted_unless_confirmed_by_an_option(tmp_path: Path, path: str) -> None:
    home = Home(tmp_path / "home")
    assert search(home, path, 2).code == 0
    before = home.files()

    refused, unknown = home.autosr("prune", "--days", "0"), home.autosr("prune", "exports")

    assert (refused.code, unknown.code) == (2, 2)
    assert "nothing was pruned; allowed: --yes" in refused.err
    assert unknown.err == "autosr: 'exports' cannot be pruned; allowed: generations, runs, replies\n"
    assert home.files() == before


@pytest.mark.parametrize("is_read", [False, True])
def test_a_database_shrinks_unless_another_process_reads_it(tmp_path: Path, *, is_read: bool) -> None:
    path = tmp_path / "index.db"
    with closing(sqlite3.connect(path)) as writer, closing(sqlite3.connect(path)) as reader:
        writer.execute(
            "CREATE TABLE kept AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 9999) SELECT i FROM n"
        )
        writer.execute("DELETE FROM kept WHERE i > 10")
        writer.commit()
        if is_read:
            reader.execute("BEGIN")
            reader.execute("SELECT i FROM kept").fetchall()
        size = path.stat().st_size

        freed = vacuum(path, timeout=0.1)

        assert (freed, path.stat().st_size) == ((0, size) if is_read else (size - 8192, 8192))
        assert len(writer.execute("SELECT i FROM kept").fetchall()) == 10


def unused_pages(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        (count,) = connection.execute("PRAGMA freelist_count").fetchone()
    return int(count)


def dagster_runs(home: Home) -> set[str]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in home.environment().items():
            patch.setenv(name, value)
        os.environ["DAGSTER_HOME"] = ""
        dagster_home()
        with dg.DagsterInstance.get() as instance:
            return {run.run_id for run in instance.get_runs()}

"""The IO manager gives assets handles on stored rows, in the same shape for one prompt and for many."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from autosr_assets.runtime.io_manager import PARTITION_ROWS_TYPE, ParquetIOManager, PartitionRows
from autosr_lib.storage.store import StoredTable
from autosr_lib.storage.table_names import TableName

RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
PROMPTS = dg.DynamicPartitionsDefinition(name="prompts")
FIRST, SECOND = TableName("", "first"), TableName("", "second")


def per_prompt(function: Callable[..., object]) -> dg.AssetsDefinition:
    return dg.asset(
        partitions_def=PROMPTS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        dagster_type=PARTITION_ROWS_TYPE,
    )(function)


def one_row(text: str) -> pa.Table:
    return pa.table({"text": [text]})


class Graph:
    """The assets dataset -> first -> second (both per prompt), and their inputs; `returns` replaces the output of `first`."""

    def __init__(self, root: Path, keys: str) -> None:
        self.seen: dict[str, Any] = {}
        self.returns: dict[str, Any] | None = None
        self.instance = dg.DagsterInstance.ephemeral()
        self.instance.add_dynamic_partitions("prompts", list(keys))
        self.tables = ParquetIOManager(root=str(root))

        @dg.asset(backfill_policy=dg.BackfillPolicy.single_run())
        def dataset() -> pa.Table:
            return pa.table({"prompt_id": list(keys), "text": [f"text of {key}" for key in keys]})

        @per_prompt
        def first(context: dg.AssetExecutionContext, dataset: StoredTable) -> PartitionRows:
            if self.returns is not None:
                return self.returns
            rows = pa.concat_tables(dataset.read_where("prompt_id", context.partition_keys, ["prompt_id", "text"]))
            self.seen["dataset"] = rows.num_rows
            texts = dict(zip(*rows.to_pydict().values(), strict=True))
            return {key: one_row(texts[key]) for key in context.partition_keys}

        @per_prompt
        def second(context: dg.AssetExecutionContext, first: dict[str, StoredTable]) -> PartitionRows:
            self.seen["first"] = {key: rows.read().column("text").to_pylist() for key, rows in first.items()}
            return {key: one_row("again " + key) for key in context.partition_keys}

        defs = dg.Definitions([dataset, first, second], resources={"io_manager": self.tables})
        self.job = defs.resolve_implicit_global_asset_job_def()

    def run(self, *assets: str, over: str = "") -> str:
        """Run the assets over the range `over` and return the error, or nothing."""
        result = self.job.execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey(asset) for asset in assets],
            tags=dict(zip(RANGE, (over[0], over[-1]), strict=True)) if over else {},
            raise_on_error=False,
        )
        errors = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
        return " ".join(error.to_string() for error in errors if error is not None)


@pytest.mark.parametrize("over", ["a", "abc"])
def test_a_partitioned_input_is_a_dict_even_for_one_partition(tmp_path: Path, over: str) -> None:
    graph = Graph(tmp_path, "abcd")

    failure = graph.run("dataset", "first", "second", over=over)

    assert failure == ""
    assert graph.seen["first"] == {key: [f"text of {key}"] for key in over}
    assert graph.tables.store.keys(SECOND) == list(over)


def test_only_the_dataset_rows_of_the_run_are_read(tmp_path: Path) -> None:
    graph = Graph(tmp_path, "abcd")

    graph.run("dataset", "first", over="bc")

    assert graph.seen["dataset"] == 2


def test_a_returned_handle_leaves_the_stored_rows_unchanged(tmp_path: Path) -> None:
    graph = Graph(tmp_path, "ab")
    graph.run("dataset", "first", over="ab")
    store = graph.tables.store
    before = store.path(FIRST, "a").stat().st_ino

    graph.returns = {"a": store.stored(FIRST, "a"), "b": one_row("new")}
    failure = graph.run("first", over="ab")

    assert failure == ""
    assert store.path(FIRST, "a").stat().st_ino == before
    assert store.stored(FIRST, "b").read() == one_row("new")


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ({"a": one_row("x")}, "output has no rows for 1 of 2 partitions ('b') of this run"),
        ({"a": one_row("x"), "b": one_row("x"), "c": one_row("x")}, "has rows for ['c'], which are not partitions"),
        ({"a": one_row("x"), "b": "text"}, "output is str; must be a pyarrow table or reader"),
        (
            {"a": one_row("x"), "b": StoredTable(None, TableName("", "other"), "b")},
            "must be the handle on the rows stored here",
        ),  # type: ignore[arg-type]
    ],
)
def test_an_output_without_rows_for_exactly_the_partitions_of_the_run_is_rejected(
    tmp_path: Path, returned: dict[str, Any], message: str
) -> None:
    graph = Graph(tmp_path, "abc")
    graph.run("dataset")
    graph.returns = returned

    failure = graph.run("first", over="ab")

    assert message in failure


def test_a_partition_that_is_not_stored_upstream_is_named(tmp_path: Path) -> None:
    graph = Graph(tmp_path, "abc")
    graph.run("dataset", "first", over="ab")

    failure = graph.run("second", over="abc")

    assert "first: no rows are stored for 1 of 3 partitions ('c')" in failure

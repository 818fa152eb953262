"""What we rely on in Dagster: one step that shows good prompts green, failed ones red, and writes the export anyway.

And what its run queue makes of pools, and its daemon of a request without checks.
"""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import yaml
from dagster._core.instance.config import PoolGranularity
from dagster._core.op_concurrency_limits_counter import GlobalOpConcurrencyLimitsCounter
from dagster._core.storage.dagster_run import RunOpConcurrency
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value
from dagster_shared.serdes import deserialize_value, serialize_value

RANGE = {"dagster/asset_partition_range_start": "a", "dagster/asset_partition_range_end": "d"}
PROMPTS = dg.DynamicPartitionsDefinition(name="prompts")
BEST, EXPORT = dg.AssetKey("best"), dg.AssetKey("export")


class Ends:
    """`best`, per prompt, and `export`, whole, as one step; the prompts in `bad` fail."""

    def __init__(self) -> None:
        self.bad: set[str] = set()
        self.instance = dg.DagsterInstance.ephemeral()
        self.instance.add_dynamic_partitions("prompts", list("abcd"))

        @dg.multi_asset(
            specs=[
                dg.AssetSpec(BEST, partitions_def=PROMPTS, skippable=True),
                dg.AssetSpec(EXPORT, deps=[BEST], skippable=True),
            ],
            check_specs=[dg.AssetCheckSpec("good", asset=BEST)],
            can_subset=True,
            backfill_policy=dg.BackfillPolicy.single_run(),
        )
        def ends(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult]:
            failed: list[str] = []
            if BEST in context.selected_asset_keys:
                failed = [key for key in context.partition_keys if key in self.bad]
                for key in set(context.partition_keys) - set(failed):
                    tags = {"dagster/data_version": f"version-{key}"}
                    context.log_event(dg.AssetMaterialization(BEST, partition=key, tags=tags))
            if EXPORT in context.selected_asset_keys:
                context.log_event(dg.AssetMaterialization(EXPORT))
            if context.selected_asset_check_keys:
                yield dg.AssetCheckResult(passed=not self.bad, asset_key=BEST, check_name="good")
            if failed:
                raise dg.Failure(f"failed prompts: {failed}", allow_retries=False)

        self.job = dg.Definitions([ends]).resolve_implicit_global_asset_job_def()

    def run(self, *keys: dg.AssetKey, tags: dict[str, str]) -> bool:
        result = self.job.execute_in_process(
            instance=self.instance, asset_selection=list(keys), tags=tags, raise_on_error=False
        )
        return result.success

    def materialized(self) -> set[str]:
        return set(self.instance.get_materialized_partitions(BEST))

    def failed(self) -> set[str]:
        status = get_and_update_asset_status_cache_value(
            self.instance, BEST, PROMPTS, dynamic_partitions_loader=self.instance
        )
        assert status is not None
        return set(status.deserialize_failed_partition_subsets(PROMPTS).get_partition_keys())

    def checked(self) -> list[tuple[bool, str | None]]:
        key = dg.AssetCheckKey(BEST, "good")
        found = self.instance.event_log_storage.get_asset_check_execution_history(key, limit=10)
        results = [record.event.dagster_event.asset_check_evaluation_data for record in found]
        return [(result.passed, result.partition) for result in results]

    def exports(self) -> int:
        return len(self.instance.fetch_materializations(EXPORT, limit=10).records)


def test_a_failed_prompt_is_red_the_others_green_and_the_export_is_there() -> None:
    ends = Ends()
    ends.bad = {"b"}

    success = ends.run(BEST, EXPORT, tags=RANGE)

    assert not success
    assert (ends.materialized(), ends.failed(), ends.exports()) == ({"a", "c", "d"}, {"b"}, 1)


def test_a_check_of_the_step_is_recorded_once_and_whole_also_when_the_step_fails() -> None:
    ends = Ends()
    ends.bad = {"b"}

    ends.run(BEST, EXPORT, tags=RANGE)

    assert ends.checked() == [(False, None)]


def test_a_check_of_the_step_runs_alone_and_materializes_nothing() -> None:
    ends = Ends()
    check = dg.AssetCheckKey(BEST, "good")

    ends.job.get_subset(asset_selection=set(), asset_check_selection={check}).execute_in_process(instance=ends.instance)

    assert ends.checked() == [(True, None)]
    assert (ends.materialized(), ends.exports()) == (set(), 0)


def test_a_later_run_of_one_prompt_mends_only_that_one() -> None:
    ends = Ends()
    ends.bad = {"b", "c"}
    ends.run(BEST, EXPORT, tags=RANGE)
    ends.bad = set()

    success = ends.run(BEST, EXPORT, tags={"dagster/partition": "b"})

    assert success
    assert (ends.materialized(), ends.failed(), ends.exports()) == ({"a", "b", "d"}, {"c"}, 2)


def test_either_end_can_be_run_alone() -> None:
    ends = Ends()

    assert ends.run(BEST, tags=RANGE)
    assert (ends.materialized(), ends.exports()) == (set("abcd"), 0)

    assert ends.run(EXPORT, tags={})
    assert ends.exports() == 1


def waiting_at_the_first_look(home: Path, *, is_known: bool) -> list[bool]:
    """Return whether two runs over one pool wait when the run queue looks for the first time, as its daemon looks."""
    (home / "dagster.yaml").write_text(
        yaml.dump({"concurrency": {"pools": {"default_limit": 1, "granularity": "run"}}})
    )
    runs = [
        dg.DagsterRun(
            "job",
            run_op_concurrency=RunOpConcurrency(
                root_key_counts={"pool": 1}, has_unconstrained_root_nodes=False, all_pools={"pool"}
            ),
            run_id=name * 32,
        )
        for name in "ab"
    ]
    with dg.DagsterInstance.from_config(str(home)) as instance:
        storage = instance.event_log_storage
        if is_known:
            storage.initialize_concurrency_limit_to_default("pool")
        counter = GlobalOpConcurrencyLimitsCounter(
            instance, runs, [], storage.get_concurrency_keys(), storage.get_pool_limits(), 0, PoolGranularity.RUN
        )
        waiting = []
        for run in runs:
            waiting.append(counter.is_blocked(run))
            counter.update_counters_with_launched_item(run)
        return waiting


def test_the_run_queue_counts_a_pool_that_is_known_and_not_yet_one_that_it_meets(tmp_path: Path) -> None:
    known, met = (tmp_path / name for name in ("known", "met"))
    known.mkdir()
    met.mkdir()

    assert waiting_at_the_first_look(known, is_known=True) == [False, True]
    # Once this fails, `register_pools` is not needed any more.
    assert waiting_at_the_first_look(met, is_known=False) == [False, False]


def test_dagsters_default_would_overwrite_the_limit_that_somebody_gave_a_pool(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text(yaml.dump({"concurrency": {"pools": {"default_limit": 1}}}))

    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        storage = instance.event_log_storage
        storage.set_concurrency_slots("pool", 7)
        storage.initialize_concurrency_limit_to_default("pool")

        assert [pool.limit for pool in storage.get_pool_limits()] == [1]


def checks_of_a_run(ends: Ends, request: dg.RunRequest) -> int:
    """Return how many checks the run makes that the daemon, which was sent the request, launches."""
    sent = deserialize_value(serialize_value(request), dg.RunRequest)
    assert sent.asset_selection is not None
    checks = None if sent.asset_check_keys is None else frozenset(sent.asset_check_keys)
    job = ends.job.get_subset(asset_selection=frozenset(sent.asset_selection), asset_check_selection=checks)
    job.execute_in_process(instance=ends.instance, tags=RANGE)
    return len(ends.checked())


def test_a_request_of_no_checks_makes_none_and_one_that_says_nothing_makes_those_of_its_assets() -> None:
    none, nothing = (dg.RunRequest(asset_selection=[BEST], asset_check_keys=keys) for keys in ([], None))

    assert (checks_of_a_run(Ends(), none), checks_of_a_run(Ends(), nothing)) == (0, 1)

"""What we rely on in Dagster: one step that shows good prompts green, failed ones red, and writes the export anyway."""

from collections.abc import Iterator

import dagster as dg
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

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

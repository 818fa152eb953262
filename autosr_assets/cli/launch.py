"""A whole search in this process: the dataset, range runs over its prompts, and the export; heavy to import."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterAssetCheckFailedError
from sqlalchemy.exc import DBAPIError

from autosr_assets.automation.dead_runs import mark_dead_runs, process_tags
from autosr_assets.automation.run_tags import NO_RETRY, range_tags, search_tags
from autosr_assets.cli.chosen_search import ChosenSearch
from autosr_assets.graph_names import dataset_key, preferences_key, prompts_of
from autosr_assets.home import dagster_home
from autosr_assets.instance import open_instance
from autosr_assets.resources import Progress
from autosr_assets.steps.dataset import Origin, reader_of, register_prompts, withdrawn_ids
from autosr_assets.steps.export import best_outcomes, export_target, is_exported
from autosr_assets.steps.prompt_rows import read_prompts
from autosr_assets.steps.work_left import WorkLeft, search_ranges, work_left
from autosr_lib.errors import AutosrError, StorageError
from autosr_lib.results.totals import Totals
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.store import StoredTable, TableStore
from autosr_lib.storage.tables.best_rubrics import BestRubricRow
from autosr_lib.storage.tables.columns import Status


@dataclass(frozen=True)
class Outcome:
    """What a search came to."""

    totals: Totals
    rows: list[BestRubricRow]
    """The best rubrics of the first prompts."""
    target: str
    left: WorkLeft
    """What there was to do."""


class Launch:
    """One search, run in this process."""

    def __init__(self, search: ChosenSearch, store: TableStore, progress: Progress) -> None:
        self.search = search
        self.store = store
        self.progress = progress
        self.steps = search.steps(store, progress)

    @property
    def dataset(self) -> StoredTable:
        """Return the handle on the dataset's rows."""
        return self.store.stored(self.search.dataset_table)

    def survey(self) -> WorkLeft:
        """Return what there is to do, from the dataset's file as it is now; nothing is written.

        Raises:
            DatasetError: the file cannot be used.
        """
        reader = reader_of(self.search.dataset_settings)
        if self.steps.depends_on_all:
            self.steps.foresee(reader)
        found = work_left(self.steps, ((prompt, False) for prompt in reader))
        present = {partition_key(str(row[0])) for row in found.rows}
        found.counts[Status.WITHDRAWN] += len(withdrawn_ids(self.store, self.search.dataset_table, present))
        return found

    def run(self, chunk_size: int, shown: int, log_level: str = "CRITICAL") -> Outcome:
        """Do what there is to do and return what it came to; prompts that fail do not stop the others.

        Args:
            chunk_size: most prompts of one run.
            shown: prompts whose best rubrics are wanted back.
            log_level: of Dagster's console log.

        Raises:
            AutosrError: nothing more can be done, and why.
            KeyboardInterrupt: somebody stopped it; what is stored stays.
        """
        with _dagster_told():
            left = self._do(_Runs(self.search, self.progress, log_level), chunk_size)
        return self._outcome(left, shown)

    def _do(self, runs: "_Runs", chunk_size: int) -> WorkLeft:
        if not self._is_read():
            left = self.survey()
            if left.keys:
                runs.search_prompts(left.keys, chunk_size, [partition_key(str(row[0])) for row in left.rows])
                return left
            runs.read_dataset()
        ids = self.dataset.read(["prompt_id"])["prompt_id"].to_pylist()
        left = work_left(self.steps, read_prompts(self.dataset, [partition_key(name) for name in ids]))
        if left.keys:
            runs.search_prompts(left.keys, chunk_size)
        elif not is_exported(self.steps, left.content):
            runs.write_export()
        return left

    def _is_read(self) -> bool:
        """Return whether what is stored is what the dataset's file holds.

        Raises:
            DatasetError: there is no such file, or it cannot be read.
        """
        settings = self.search.dataset_settings
        offered = Origin.of_file(settings.path, skip_invalid=settings.skip_invalid)
        if offered is None:  # said before Dagster is started for it
            for _ in reader_of(settings):
                pass
        return offered == Origin.of_stored(self.store, self.search.dataset_table)

    def _outcome(self, left: WorkLeft, shown: int) -> Outcome:
        totals, rows = Totals(), list[BestRubricRow]()
        for _, row in best_outcomes(self.steps, self.dataset):
            totals.add(row)
            if isinstance(row, BestRubricRow) and len(rows) < shown:
                rows.append(row)
        return Outcome(totals, rows, str(export_target(self.steps)), left)


class _Runs:
    """Runs of a search's assets in this process; Dagster is asked only once there is something to run."""

    def __init__(self, search: ChosenSearch, progress: Progress, log_level: str) -> None:
        self.search = search
        self.progress = progress
        self.log_level = log_level

    def read_dataset(self) -> None:
        # It stops what would start by itself; here somebody asked for the search, and its result is recorded.
        with suppress(DagsterAssetCheckFailedError):
            self._execute([dataset_key(self.search.dataset)])

    def write_export(self) -> None:
        self._execute([self._export])

    def search_prompts(self, keys: set[str], chunk_size: int, unread: Sequence[str] = ()) -> None:
        """Search these prompts in range runs, and write the export: in the only run, or once after all of them.

        Args:
            keys: what there is something to do for.
            chunk_size: most prompts of one run.
            unread: all prompts of the dataset's file, where it is not stored as it is now. It is read in the only run
                too, which its prompts must be registered before; or in one before all of them.
        """
        register_prompts(self._instance, self.search.dataset, unread)
        order = self._registered()
        if not keys <= set(order):  # a new Dagster home beside an older storage
            self.read_dataset()
            order = self._registered()
        runs = search_ranges(order, keys, chunk_size, self.search.structure.scope)
        self.progress.expect(sum(map(len, runs)))
        per_prompt = [preferences_key(self.search.dataset), *self._search_keys]
        if len(runs) == 1:
            self._search_at_once(per_prompt, runs[0], is_read=not unread)
            return
        if unread:
            self.read_dataset()
        for run in runs:
            self._execute([key for key in per_prompt if key != self._export], run, checks=[])
        # Once after all of them: each check looks at every prompt.
        self._execute([self._export], checks=[key for key in self._checks if key.asset_key in per_prompt])

    def _search_at_once(self, assets: Sequence[dg.AssetKey], prompts: Sequence[str], *, is_read: bool) -> None:
        if is_read:
            self._execute(assets, prompts)
            return
        try:
            self._execute([dataset_key(self.search.dataset), *assets], prompts)
        except DagsterAssetCheckFailedError:  # as in `read_dataset`
            self._execute(assets, prompts)

    def _registered(self) -> list[str]:
        name = prompts_of(self.search.dataset).name
        return list(self._instance.get_dynamic_partitions(str(name)))

    def _execute(
        self,
        assets: Sequence[dg.AssetKey],
        prompts: Sequence[str] = (),
        checks: Sequence[dg.AssetCheckKey] | None = None,
    ) -> None:
        """Run the assets, those with partitions over the range of `prompts`, with their own checks or with `checks`.

        A prompt that failed is no error here: its row says so, and the outcome counts it.
        """
        job = self._job.get_subset(
            asset_selection=set(assets), asset_check_selection=None if checks is None else set(checks)
        )
        tags = range_tags(prompts) if prompts else {}
        tags |= search_tags(self.search.dataset, self.search.name, self.search.structure, self.search.settings)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", category=dg.BetaWarning)
                warnings.simplefilter("ignore", category=dg.PreviewWarning)
                job.execute_in_process(
                    instance=self._instance, tags={**tags, **NO_RETRY, **process_tags()}, run_config=self._config()
                )
        except dg.Failure:
            return
        except dg.DagsterExecutionInterruptedError as error:
            raise KeyboardInterrupt from error
        except dg.DagsterError as error:
            if (named := _named_by(error)) is None:
                raise
            raise named from error

    def _config(self) -> dict[str, Any]:
        return {
            "loggers": {"console": {"config": {"log_level": self.log_level}}},
            "resources": dict(self.search.overrides),
        }

    @cached_property
    def _instance(self) -> dg.DagsterInstance:
        instance = open_instance()
        mark_dead_runs(instance)
        return instance

    @cached_property
    def _definitions(self) -> dg.Definitions:
        return self.search.definitions(self.progress)

    @cached_property
    def _job(self) -> dg.JobDefinition:
        return self._definitions.resolve_implicit_global_asset_job_def()

    @property
    def _export(self) -> dg.AssetKey:
        return dg.AssetKey([self.search.name, "rubric_export"])

    @property
    def _checks(self) -> set[dg.AssetCheckKey]:
        return set(self._definitions.resolve_asset_graph().asset_check_keys)

    @property
    def _search_keys(self) -> list[dg.AssetKey]:
        keys = self._definitions.resolve_asset_graph().get_all_asset_keys()
        # What samples candidates, where there is such an asset, runs with the search.
        dataset = {dataset_key(self.search.dataset), preferences_key(self.search.dataset)}
        return sorted(keys - dataset)


def _named_by(error: BaseException | None) -> AutosrError | None:
    """Return the error of ours that Dagster's wraps."""
    while error is not None and not isinstance(error, AutosrError):
        error = getattr(error, "user_exception", None) or error.__cause__
    return error


@contextmanager
def _dagster_told() -> Iterator[None]:
    """Say where Dagster keeps its records when they cannot be read or written: on a full disk, say."""
    try:
        yield
    except DBAPIError as error:
        said = " ".join(str(error.orig).split())
        raise StorageError(f"{dagster_home()}: Dagster's records cannot be used: {said}") from error

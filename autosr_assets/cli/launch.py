"""A search in this process, as Dagster runs: of the dataset, of ranges of its prompts, and of the export."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import dagster as dg
from sqlalchemy.exc import DBAPIError

from autosr_assets.automation.dead_runs import mark_dead_runs
from autosr_assets.automation.partition_ranges import search_ranges
from autosr_assets.cli.chosen_search import ChosenSearch
from autosr_assets.dagster_internals.private_names import DagsterAssetCheckFailedError
from autosr_assets.runtime.graph_names import asset_key, dataset_key, preferences_key, prompts_of
from autosr_assets.runtime.home import dagster_home
from autosr_assets.runtime.instance import open_instance
from autosr_assets.runtime.run_process import process_tags
from autosr_assets.runtime.run_tags import NO_RETRY, range_tags, search_tags
from autosr_assets.steps.dataset import register_prompts
from autosr_assets.steps.export import best_outcomes, export_target, is_exported
from autosr_lib.errors import AutosrError, StorageError
from autosr_lib.pipeline.dataset_storage import DatasetSource, dataset_reader, withdrawn_ids
from autosr_lib.pipeline.pending import PendingWork, pending_work, stored_pending_work
from autosr_lib.pipeline.progress import Progress
from autosr_lib.results.summary import SearchSummary, summarise
from autosr_lib.results.totals import Totals
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.table_names import TableName
from autosr_lib.storage.tables.best_rubrics import BestRubricRow
from autosr_lib.storage.tables.columns import Status
from autosr_lib.storage.tables.prompts import StoredPrompt


@dataclass(frozen=True)
class SearchOutcome:
    """The result of a search."""

    totals: Totals
    rows: list[BestRubricRow]
    """The best rubrics; empty if there are too many to print."""
    target: str
    """Path of the export."""
    pending: PendingWork
    """The work that was pending before the search."""


@dataclass(frozen=True)
class PlannedRun:
    """A Dagster run of some of the search's assets."""

    assets: frozenset[dg.AssetKey]
    prompts: tuple[str, ...] = ()
    """Partition keys of the range, for the assets that have partitions."""
    checks: frozenset[dg.AssetCheckKey] | None = None
    """Checks to run, by default all of the assets."""


class ExportWatcher:
    """Forwards progress, and keeps the summary of the export that a run writes."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.summary: SearchSummary | None = None

    def expect(self, total: int) -> None:
        """Forward the number of prompts of all runs."""
        self._progress.expect(total)

    def begin(self, step: str, total: int) -> None:
        """Forward the start of a step."""
        self._progress.begin(step, total)

    def advance(self, step: str, *, is_new: bool, is_failed: bool) -> None:
        """Forward a finished prompt."""
        self._progress.advance(step, is_new=is_new, is_failed=is_failed)

    def end(self, step: str) -> None:
        """Forward the end of a step."""
        self._progress.end(step)

    def exported(self, summary: SearchSummary) -> None:
        """Keep and forward the summary of an export."""
        self.summary = summary
        self._progress.exported(summary)


class Launch:
    """Runs one search in this process. Dagster's instance is opened only if there is something to run."""

    def __init__(
        self, search: ChosenSearch, store: TableStore, progress: Progress, log_level: str = "CRITICAL"
    ) -> None:
        """Plan the search.

        Args:
            search: what to run.
            store: with the tables.
            progress: receives the progress of the runs.
            log_level: level of Dagster's log on the console.

        Raises:
            SettingsError: the settings use a model and the API key is missing, or the presets cannot be read.
        """
        self.search = search
        self.store = store
        self.progress = ExportWatcher(progress)
        self.log_level = log_level
        self.plan = search.plan(store)

    def survey(self) -> PendingWork:
        """Return the pending work for the prompts that the dataset's file contains now; write nothing.

        Raises:
            DatasetError: the file cannot be used.
        """
        reader = dataset_reader(self.search.dataset_settings)
        self.plan = self.plan.with_active_prompts(reader)
        prompts = (StoredPrompt(prompt, is_withdrawn=False) for prompt in reader)
        pending = pending_work(self.plan, self.store, prompts)
        withdrawn = withdrawn_ids(self.store, self.plan.dataset.dataset_table, set(pending.prompt_keys))
        pending.counts[Status.WITHDRAWN] += len(withdrawn)
        return pending

    def run(self, chunk_size: int, max_shown: int) -> SearchOutcome:
        """Do the pending work and return the result; prompts that fail do not stop the others.

        Args:
            chunk_size: maximum number of prompts in one run.
            max_shown: maximum number of best rubrics that the outcome contains; with more, it contains none.

        Raises:
            AutosrError: the search cannot continue.
            KeyboardInterrupt: the search was interrupted; finished work is stored.
        """
        with _dagster_storage_errors():
            is_stored = self._is_stored()
            pending = stored_pending_work(self.plan, self.store) if is_stored else self.survey()
            if not is_stored and not pending.keys:  # only the order of the prompts has changed, or some were removed
                self.execute(PlannedRun(frozenset([self._dataset])))
                is_stored, pending = True, stored_pending_work(self.plan, self.store)
            for planned in self._plan_runs(pending, chunk_size, is_stored=is_stored):
                self.execute(planned)
        return self._outcome(pending, max_shown)

    def _is_stored(self) -> bool:
        """Return whether the stored dataset equals its file.

        Raises:
            DatasetError: the file does not exist or cannot be read.
        """
        settings = self.search.dataset_settings
        source = DatasetSource.of_file(settings.path, skip_invalid=settings.skip_invalid)
        if source is None:  # read it, to raise an error that names its faults before Dagster is started
            for _ in dataset_reader(settings):
                pass
        return source == DatasetSource.of_stored(self.store, self.plan.dataset.dataset_table)

    def _plan_runs(self, pending: PendingWork, chunk_size: int, *, is_stored: bool) -> Iterator[PlannedRun]:
        """Yield the runs that do the pending work and write the export.

        A single range needs one run, which also stores the dataset and writes the export; its prompts are registered
        before. With several ranges, one run before them stores the dataset, and one run after them writes the export.
        """
        if not pending.keys:
            if not is_exported(self.plan, self.store, pending.content):
                yield PlannedRun(frozenset([self._export]))
            return
        if not is_stored:
            register_prompts(self._instance, self.search.dataset, pending.prompt_keys)
        if not pending.keys <= set(self._registered_keys()):  # the Dagster home is newer than the storage
            yield PlannedRun(frozenset([self._dataset]))
        scope = self.search.structure.scope
        ranges = [tuple(keys) for keys in search_ranges(self._registered_keys(), pending.keys, chunk_size, scope)]
        self.progress.expect(sum(map(len, ranges)))
        assets = frozenset([preferences_key(self.search.dataset), *self._search_assets])
        dataset = frozenset() if is_stored else frozenset([self._dataset])
        if len(ranges) == 1:
            yield PlannedRun(dataset | assets, ranges[0])
            return
        if dataset:
            yield PlannedRun(dataset)
        for keys in ranges:
            yield PlannedRun(assets - {self._export}, keys, checks=frozenset())
        # Each check reads every prompt, so the checks run only once, after all ranges.
        checks = self._definitions.resolve_asset_graph().asset_check_keys
        yield PlannedRun(frozenset([self._export]), checks=frozenset(key for key in checks if key.asset_key in assets))

    def execute(self, planned: PlannedRun) -> None:
        """Execute a run. A failed prompt raises no error: its row records the failure, and the outcome counts it."""
        checks = None if planned.checks is None else set(planned.checks)
        job = self._job.get_subset(asset_selection=set(planned.assets), asset_check_selection=checks)
        tags = range_tags(planned.prompts) if planned.prompts else {}
        tags |= search_tags(self.search.dataset, self.search.name, self.search.structure, self.search.settings)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", category=dg.BetaWarning)
                warnings.simplefilter("ignore", category=dg.PreviewWarning)
                job.execute_in_process(
                    instance=self._instance,
                    tags={**tags, **NO_RETRY, **process_tags()},
                    run_config={
                        "loggers": {"console": {"config": {"log_level": self.log_level}}},
                        "resources": dict(self.search.overrides),
                    },
                )
        except dg.Failure:
            return
        except DagsterAssetCheckFailedError:
            # A failed blocking check of the dataset stops automatic runs. This run was started by a person, so it
            # continues without the dataset; the result of the check is recorded.
            if other_assets := planned.assets - {self._dataset}:
                self.execute(PlannedRun(other_assets, planned.prompts, planned.checks))
        except dg.DagsterExecutionInterruptedError as error:
            raise KeyboardInterrupt from error
        except dg.DagsterError as error:
            if (cause := _autosr_error_in(error)) is None:
                raise
            raise cause from error

    def _outcome(self, pending: PendingWork, max_shown: int) -> SearchOutcome:
        # The run that writes the export reads all rows. Without such a run, they are read here.
        summary = self.progress.summary or summarise(row for _, row in best_outcomes(self.plan, self.store))
        rows = summary.detailed if summary.totals.rubrics <= max_shown else []
        return SearchOutcome(summary.totals, rows, str(export_target(self.plan)), pending)

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

    def _registered_keys(self) -> list[str]:
        return list(self._instance.get_dynamic_partitions(str(prompts_of(self.search.dataset).name)))

    @property
    def _dataset(self) -> dg.AssetKey:
        return dataset_key(self.search.dataset)

    @property
    def _export(self) -> dg.AssetKey:
        return asset_key(TableName.rubric_export(self.search.name))

    @property
    def _search_assets(self) -> set[dg.AssetKey]:
        """Return the assets of the search, with the sampled candidates if there are any."""
        keys = set(self._definitions.resolve_asset_graph().get_all_asset_keys())
        return keys - {self._dataset, preferences_key(self.search.dataset)}


def _autosr_error_in(error: BaseException | None) -> AutosrError | None:
    """Return the `AutosrError` that a Dagster error wraps, None if there is none."""
    while error is not None and not isinstance(error, AutosrError):
        error = getattr(error, "user_exception", None) or error.__cause__
    return error


@contextmanager
def _dagster_storage_errors() -> Iterator[None]:
    """Turn database errors of Dagster, such as those of a full disk, into an error that names Dagster's home."""
    try:
        yield
    except DBAPIError as error:
        message = " ".join(str(error.orig).split())
        raise StorageError(f"{dagster_home()}: Dagster's database cannot be used: {message}") from error

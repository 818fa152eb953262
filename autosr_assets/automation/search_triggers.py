"""The sensor and the schedule of a search."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dagster as dg

from autosr_assets.automation.dagster_runs import last_run, unfinished_run
from autosr_assets.automation.incoming_sensor import read_cursor
from autosr_assets.automation.pools import register_pools
from autosr_assets.automation.search_requests import SearchRequests
from autosr_assets.dagster_internals.private_names import UnresolvedAssetJobDefinition
from autosr_assets.runtime.run_tags import ASKED_BY, EXPORT_LATER, INCOMING, SEARCH, dataset_tags
from autosr_assets.steps.export import is_exported
from autosr_lib.domain.wording import plural
from autosr_lib.pipeline.pending import stored_pending_work
from autosr_lib.pipeline.search_runner import SearchRunner

NEW_PROMPTS, NIGHTLY = "new prompts", "nightly"
"""Values of the tag that says what started a run."""

_READ, _EXPORTED = "read", "exported"
"""Keys of the sensor's cursor: ids of the last run that read the dataset, and of the last run whose export was requested."""


@dataclass(frozen=True)
class SearchTriggers:
    """Makes the sensor and the schedule of one search."""

    requests: SearchRequests
    runner_of: Callable[[Any], SearchRunner]
    """Returns the runner of the search, given the resources of a context."""
    resources: frozenset[str]
    """Keys of the resources that `runner_of` uses."""
    watch_seconds: int
    """Shortest interval between two evaluations of the sensor."""
    nightly: str
    """Cron expression of the schedule, in UTC."""

    def new_prompts_sensor(
        self, search_job: UnresolvedAssetJobDefinition, export_job: UnresolvedAssetJobDefinition
    ) -> dg.SensorDefinition:
        """Return the sensor that searches the prompts of a dropped file, and exports once after several runs."""

        @dg.sensor(
            name=f"{self.requests.search}_new_prompts",
            jobs=[search_job, export_job],
            description=f"Searches the new and changed prompts of {self.requests.dataset} when a dropped file has been "
            "read. If that takes several runs over ranges of prompts, it writes the export once, after them.",
            minimum_interval_seconds=self.watch_seconds,
            default_status=dg.DefaultSensorStatus.RUNNING,
            required_resource_keys=set(self.resources),
        )
        def new_prompts(context: dg.SensorEvaluationContext) -> dg.SensorResult:
            cursor = {_READ: None, _EXPORTED: None, **read_cursor(context.cursor)}
            requests = self._new_prompts_requests(context, cursor)
            if isinstance(requests, dg.SkipReason):
                return dg.SensorResult(skip_reason=requests, cursor=json.dumps(cursor))
            return dg.SensorResult(requests, cursor=json.dumps(cursor))

        return new_prompts

    def nightly_schedule(self, search_job: UnresolvedAssetJobDefinition) -> dg.ScheduleDefinition:
        """Return the schedule that repeats the missing, failed, stale and incomplete prompts."""
        search, dataset = self.requests.search, self.requests.dataset

        @dg.schedule(
            name=f"{search}_nightly",
            job=search_job,
            cron_schedule=self.nightly,
            description=f"Searches the prompts of {dataset} that are missing, failed, stale or incomplete.",
            default_status=dg.DefaultScheduleStatus.STOPPED,
            required_resource_keys=set(self.resources),
        )
        def nightly(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
            register_pools(context.instance, context.repository_def)
            if (run := unfinished_run(context.instance, {SEARCH: search})) is not None:
                return dg.SkipReason(f"run {run.run_id} of {search} has not ended")
            runner = self.runner_of(context.resources)
            dataset_table = runner.plan.dataset.dataset_table
            if not runner.run.store.exists(dataset_table):
                return dg.SkipReason(f"{dataset} has not been read yet; materialize {dataset_table} first")
            pending = stored_pending_work(runner.plan, runner.run.store)
            requests = self.requests.of(context.instance, runner.plan, pending, NIGHTLY)
            prompts = plural(sum(pending.counts.values()), "prompt")
            return requests or dg.SkipReason(f"nothing to search: {prompts} up to date")

        return nightly

    def _new_prompts_requests(
        self, context: dg.SensorEvaluationContext, cursor: dict[str, Any]
    ) -> list[dg.RunRequest] | dg.SkipReason:
        """Return the runs to start, or why there are none; update the cursor."""
        search, dataset, instance = self.requests.search, self.requests.dataset, context.instance
        if context.repository_def is not None:  # also for runs that are launched by hand
            register_pools(instance, context.repository_def)
        # A run of the command line counts too: its prompts must not be requested a second time.
        if (run := unfinished_run(instance, {SEARCH: search})) is not None:
            return dg.SkipReason(f"waiting for run {run.run_id} of {search}")
        message = f"no new file of {dataset}"
        reading = last_run(instance, {**dataset_tags(dataset), ASKED_BY: INCOMING})
        if reading is not None and reading.run_id != cursor[_READ]:
            if not reading.is_finished:
                return dg.SkipReason(f"waiting for run {reading.run_id}, which reads {dataset}")
            cursor[_READ] = reading.run_id
            message = f"run {reading.run_id}, which reads {dataset}, did not succeed"
            if reading.is_success:
                if requests := self._requests_after_reading(context):
                    return requests
                message = f"run {reading.run_id} added no prompts to search"
        part = last_run(instance, {SEARCH: search, **EXPORT_LATER})
        if part is not None and part.run_id != cursor[_EXPORTED]:
            cursor[_EXPORTED] = part.run_id
            return [self.requests.export(NEW_PROMPTS)]
        return dg.SkipReason(message)

    def _requests_after_reading(self, context: dg.SensorEvaluationContext) -> list[dg.RunRequest]:
        """Return the runs to start after the dataset was read: for its pending prompts, or for a changed export."""
        runner = self.runner_of(context.resources)
        pending = stored_pending_work(runner.plan, runner.run.store)
        if requests := self.requests.of(context.instance, runner.plan, pending, NEW_PROMPTS):
            return requests
        if not is_exported(runner.plan, runner.run.store, pending.content):  # prompts were removed from the dataset
            return [self.requests.export(NEW_PROMPTS)]
        return []

"""What starts a search by itself: new prompts, and the night."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg

from autosr_assets.automation.dagster_runs import last_run, unfinished_run
from autosr_assets.automation.incoming_sensor import read_cursor
from autosr_assets.automation.pools import register_pools
from autosr_assets.automation.search_requests import SearchRequests
from autosr_assets.dagster_internals.private_names import UnresolvedAssetJobDefinition
from autosr_assets.runtime.run_tags import ASKED_BY, EXPORT_LATER, INCOMING, SEARCH, dataset_tags
from autosr_assets.steps.export import is_exported
from autosr_lib.pipeline.pending import stored_pending_work
from autosr_lib.pipeline.search_runner import SearchRunner

RunnerOf = Callable[[Any], SearchRunner]
"""Returns the runner of a search, from a context's resources."""
Jobs = tuple[UnresolvedAssetJobDefinition, UnresolvedAssetJobDefinition]
"""The search and the export."""


def new_prompts_sensor(
    jobs: Jobs, requests: SearchRequests, runner_of: RunnerOf, resources: set[str], seconds: int
) -> dg.SensorDefinition:
    """Return the sensor of a search: it searches what a dropped file brought, and exports once after several runs."""
    name = requests.search

    @dg.sensor(
        name=f"{name}_new_prompts",
        jobs=jobs,
        description=f"When a dropped file of {requests.dataset} has been read, searches its new and changed prompts; after "
        "several runs over ranges of prompts, writes the export once.",
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys=resources,
    )
    def new_prompts(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        known = {"read": None, "exported": None, **read_cursor(context.cursor)}

        def result(said: str | None, asked: Sequence[dg.RunRequest] = ()) -> dg.SensorResult:
            return dg.SensorResult(list(asked), skip_reason=None if asked else said, cursor=json.dumps(known))

        instance = context.instance
        if context.repository_def is not None:  # also for runs that somebody launches by hand
            register_pools(instance, context.repository_def)
        # Also those of the command line: what they leave is asked for, and no prompt twice.
        if (run := unfinished_run(instance, {SEARCH: name})) is not None:
            return result(f"waits for run {run.run_id} of {name}")
        said = f"no new file of {requests.dataset}"
        reading = last_run(instance, {**dataset_tags(requests.dataset), ASKED_BY: INCOMING})
        if reading is not None and reading.run_id != known["read"]:
            if not reading.is_finished:
                return result(f"waits for run {reading.run_id}, which reads {requests.dataset}")
            known["read"] = reading.run_id
            said = f"run {reading.run_id}, which reads {requests.dataset}, did not succeed"
            if reading.is_success:
                runner = runner_of(context.resources)
                pending = stored_pending_work(runner.plan, runner.run.store)
                if asked := requests.of(instance, runner.plan, pending, "new prompts"):
                    return result(None, asked)
                if not is_exported(runner.plan, runner.run.store, pending.content):  # prompts have left the dataset
                    return result(None, [_export_request(name)])
                said = f"run {reading.run_id} brought nothing new"
        part = last_run(instance, {SEARCH: name, **EXPORT_LATER})
        if part is not None and part.run_id != known["exported"]:
            known["exported"] = part.run_id
            return result(None, [_export_request(name)])
        return result(said)

    return new_prompts


def nightly_schedule(
    job: UnresolvedAssetJobDefinition,
    requests: SearchRequests,
    runner_of: RunnerOf,
    resources: set[str],
    cron: str,
) -> dg.ScheduleDefinition:
    """Return the schedule of a search: it searches again what is missing, failed, stale or incomplete."""
    name = requests.search

    @dg.schedule(
        name=f"{name}_nightly",
        job=job,
        cron_schedule=cron,
        description=f"Searches the prompts of {requests.dataset} that are missing, failed, stale or incomplete.",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        required_resource_keys=resources,
    )
    def nightly(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        register_pools(context.instance, context.repository_def)
        if (run := unfinished_run(context.instance, {SEARCH: name})) is not None:
            return dg.SkipReason(f"run {run.run_id} of {name} has not ended")
        runner = runner_of(context.resources)
        dataset_table = runner.plan.dataset.dataset_table
        if not runner.run.store.exists(dataset_table):
            return dg.SkipReason(f"{requests.dataset} has not been read yet; materialize {dataset_table} first")
        pending = stored_pending_work(runner.plan, runner.run.store)
        asked = requests.of(context.instance, runner.plan, pending, "nightly")
        return asked or dg.SkipReason(f"all {sum(pending.counts.values())} prompts are up to date")

    return nightly


def _export_request(name: str) -> dg.RunRequest:
    return dg.RunRequest(job_name=f"{name}_export", tags={ASKED_BY: "new prompts"})

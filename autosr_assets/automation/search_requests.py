"""Run requests for the pending work of a search; the command line makes runs over the same ranges."""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from autosr_assets.automation.partition_ranges import search_ranges
from autosr_assets.runtime.graph_names import candidates_key, prompts_of
from autosr_assets.runtime.run_tags import ASKED_BY, EXPORT_LATER, range_tags
from autosr_lib.pipeline.pending import PendingWork
from autosr_lib.pipeline.search_plan import SearchPlan

DEFAULT_CHUNK_SIZE = 1000
"""Largest number of prompts in a run that a sensor or schedule starts, if the YAML has no `chunk_size`."""


@dataclass(frozen=True)
class SearchRequests:
    """Makes the run requests of one search."""

    search: str
    dataset: str
    per_prompt: Sequence[dg.AssetKey]
    """Assets of a run that leaves the export to a later run: all except the export."""
    chunk_size: int = DEFAULT_CHUNK_SIZE

    def of(
        self, instance: dg.DagsterInstance, plan: SearchPlan, pending: PendingWork, asked_by: str
    ) -> list[dg.RunRequest]:
        """Return a request for each range of pending prompts.

        A single run includes the export and the checks. Of several runs none does: the sensor of the search requests one
        run of the export job after them.

        Args:
            instance: instance in which the prompts are registered.
            plan: plan of the search.
            pending: its pending work.
            asked_by: value of the tag that says what started the run.
        """
        order = instance.get_dynamic_partitions(str(prompts_of(self.dataset).name))
        ranges = search_ranges(order, pending.keys, self.chunk_size, plan.structure.scope)
        sampled = [candidates_key(self.dataset)] if plan.dataset.samples_candidates else []
        tags, job = {ASKED_BY: asked_by}, f"{self.search}_search"
        if len(ranges) == 1:
            return [dg.RunRequest(job_name=job, tags={**tags, **range_tags(ranges[0])})]
        return [
            dg.RunRequest(
                job_name=job,
                tags={**tags, **EXPORT_LATER, **range_tags(keys)},
                asset_selection=[*sampled, *self.per_prompt],
                asset_check_keys=[],
            )
            for keys in ranges
        ]

    def export(self, asked_by: str) -> dg.RunRequest:
        """Return the request of a run that only exports."""
        return dg.RunRequest(job_name=f"{self.search}_export", tags={ASKED_BY: asked_by})

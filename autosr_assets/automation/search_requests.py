"""What there is to do for a search, as requests of runs: the same range runs that the command line makes."""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from autosr_assets.automation.partition_ranges import search_ranges
from autosr_assets.runtime.graph_names import candidates_key, prompts_of
from autosr_assets.runtime.run_tags import ASKED_BY, EXPORT_LATER, range_tags
from autosr_lib.pipeline.pending import PendingWork
from autosr_lib.pipeline.search_plan import SearchPlan

CHUNK = 1000
"""Most prompts of one run, unless the YAML says otherwise."""


@dataclass(frozen=True)
class SearchRequests:
    """Requests of runs of one search's job."""

    search: str
    dataset: str
    per_prompt: Sequence[dg.AssetKey]
    """The assets of a run whose export comes later: all but the export."""
    chunk_size: int = CHUNK

    def of(
        self, instance: dg.DagsterInstance, plan: SearchPlan, pending: PendingWork, asked_by: str
    ) -> list[dg.RunRequest]:
        """Return a request for each range of prompts with something to do.

        One run does everything, the export and the checks too; of several each leaves these to a run after them.
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

"""Assets with one partition a prompt, and what their steps publish."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pyarrow as pa

from autosr_assets.dagster_internals.step_metadata import add_partition_metadata
from autosr_assets.io_manager import PARTITION_ROWS_TYPE, PartitionRows
from autosr_assets.runtime.graph_names import TABLES, dataset_key, prompts_of
from autosr_assets.steps.prompt_rows import Filled
from autosr_assets.views.columns import columns_metadata
from autosr_lib.search.fingerprints import METHOD_VERSION


@dataclass(frozen=True)
class PerPrompt:
    """What the assets over the prompts of a dataset share."""

    dataset: str
    resources: frozenset[str]
    """What their steps take from a run."""
    chunk_size: int | None
    """Prompts of one run of a backfill; by default all of them share a run."""
    pool: str | None
    """Of the endpoint that their steps may ask."""

    @property
    def backfill_policy(self) -> dg.BackfillPolicy:
        """Return their policy; only `single_run` can be launched as a range from a shell."""
        size = self.chunk_size
        return dg.BackfillPolicy.single_run() if size is None else dg.BackfillPolicy.multi_run(size)

    def asset(
        self,
        key: dg.AssetKey,
        description: str,
        schema: pa.Schema,
        sources: Mapping[str, dg.AssetKey] | None = None,
        deps: Sequence[dg.AssetKey] = (),
    ) -> Callable[[Callable[..., PartitionRows]], dg.AssetsDefinition]:
        """Return the decorator of an asset that is given the dataset and the `sources`, by these names.

        `schema` is that of its rows.
        """
        given = {"dataset": dataset_key(self.dataset), **(sources or {})}
        return dg.asset(
            key=key,
            ins={name: dg.AssetIn(source) for name, source in given.items()},
            deps=deps,
            description=description,
            metadata=columns_metadata(schema),
            group_name=key.path[0],
            io_manager_key=TABLES,
            required_resource_keys=set(self.resources),
            dagster_type=PARTITION_ROWS_TYPE,
            partitions_def=prompts_of(self.dataset),
            backfill_policy=self.backfill_policy,
            pool=self.pool,
            code_version=METHOD_VERSION,
            kinds={"parquet"},
        )


def published(
    context: dg.AssetExecutionContext,
    filled: Filled,
    describe: Callable[[pa.Table], dict[str, Any]],
    columns: list[str] | None = None,
) -> PartitionRows:
    """Return the handles of a step, after publishing its prompts' metadata and naming those that failed."""
    metadata: dict[str, Mapping[str, Any]] = {}
    for key, handle in filled.handles.items():
        told = filled.described[key] if key in filled.described else describe(handle.read(columns))
        metadata[key] = {**told, **filled.used.get(key, {})}
    add_partition_metadata(context, metadata)
    for key, error in filled.failed.items():
        context.log.error("prompt %r failed: %s", key, error)
    return dict(filled.handles)

"""Assets with one partition per prompt."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import dagster as dg
import pyarrow as pa

from autosr_assets.runtime.graph_names import TABLES, dataset_key, prompts_of
from autosr_assets.runtime.io_manager import PARTITION_ROWS_TYPE, PartitionRows
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
        self, key: dg.AssetKey, description: str, schema: pa.Schema, deps: Sequence[dg.AssetKey] = ()
    ) -> Callable[[Callable[..., PartitionRows]], dg.AssetsDefinition]:
        """Return the decorator of an asset over the dataset's prompts.

        Its upstream assets are dependencies and no inputs: the runner reads from the tables what is not in memory.

        Args:
            key: of the asset.
            description: what one row is.
            schema: of its rows.
            deps: upstream assets, beside the dataset.
        """
        return dg.asset(
            key=key,
            deps=[dataset_key(self.dataset), *deps],
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

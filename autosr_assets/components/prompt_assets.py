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
class PromptAssets:
    """What the assets over the prompts of one dataset have in common."""

    dataset: str
    resources: frozenset[str]
    """Keys of the resources that their steps use."""
    chunk_size: int | None
    """Number of prompts in one run of a backfill; None puts all prompts into one run."""
    pool: str | None
    """Concurrency pool of the endpoint that their steps may use, or None."""

    @property
    def backfill_policy(self) -> dg.BackfillPolicy:
        """Return the backfill policy. Only with `single_run` can a range be launched from a shell."""
        size = self.chunk_size
        return dg.BackfillPolicy.single_run() if size is None else dg.BackfillPolicy.multi_run(size)

    def asset(
        self, key: dg.AssetKey, description: str, schema: pa.Schema, deps: Sequence[dg.AssetKey] = ()
    ) -> Callable[[Callable[..., PartitionRows]], dg.AssetsDefinition]:
        """Return the decorator of an asset that is partitioned by the dataset's prompts.

        Upstream assets are `deps`, not inputs: the runner reads upstream rows from the tables unless they are in memory.

        Args:
            key: key of the asset.
            description: what one row is.
            schema: schema of the rows.
            deps: keys of the upstream assets, except the dataset.
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

"""How long the web UI's page of an asset takes with many partitions: what it asks, through GraphQL.

Run `python -m benchmarks.asset_page --prompts 10000`. The prompts are registered and their preferences materialized in one
range run, as the command line does.
"""

import argparse
import os
import statistics
import time
from pathlib import Path

from benchmarks.measuring import home, machine, write_dataset

PAGE = """
query Page($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) { ... on AssetNode {
    partitionStats { numMaterialized numFailed numPartitions numMaterializing }
    assetPartitionStatuses { ... on DefaultPartitionStatuses { materializedPartitions failedPartitions } }
    partitionKeysByDimension { name partitionKeys }
    assetMaterializations(limit: 1) { runId partition timestamp }
  } }
}
"""
"""What the asset page asks about a partitioned asset."""
MODULE = """
import warnings
warnings.simplefilter("ignore")
from autosr_assets.cli.chosen_search import search_of_file
from autosr_assets.records.given_settings import GivenSettings
from autosr_assets.cli.shared import open_store
from autosr_lib.pipeline.progress import NoProgress
defs = search_of_file({path!r}, None, GivenSettings({{}}, {{}}, {{}}), open_store()).definitions(NoProgress())
"""


def materialize(folder: Path, prompts: int) -> Path:
    """Materialize the preferences of so many prompts, and return the file that defines the graph."""
    import dagster as dg

    from autosr_assets.cli.chosen_search import search_of_file
    from autosr_assets.cli.launch import Launch, RunRequest
    from autosr_assets.cli.shared import open_store
    from autosr_assets.records.given_settings import GivenSettings
    from autosr_assets.runtime.home import dagster_home
    from autosr_lib.pipeline.progress import NoProgress

    path = write_dataset(folder / "page.jsonl", prompts)
    dagster_home()
    store = open_store()
    launch = Launch(search_of_file(path, None, GivenSettings({}, {}, {}), store), store, NoProgress())
    launch.execute(RunRequest(frozenset([dg.AssetKey(["page", "dataset"])])))
    keys = tuple(f"p{number:06d}" for number in range(prompts))
    launch.execute(RunRequest(frozenset([dg.AssetKey(["page", "preferences"])]), keys, checks=frozenset()))
    module = folder / "definitions_of_page.py"
    module.write_text(MODULE.format(path=path))
    return module


def page_seconds(module: Path, asset: list[str]) -> tuple[list[float], int]:
    """Return how long the page takes, six times, and the materialized partitions that it shows."""
    import dagster as dg
    from dagster_graphql.test.utils import define_out_of_process_context, execute_dagster_graphql

    with dg.DagsterInstance.get() as instance, define_out_of_process_context(str(module), "defs", instance) as context:
        times, shown = [], 0
        for _ in range(6):
            started = time.perf_counter()
            result = execute_dagster_graphql(context, PAGE, {"key": {"path": asset}})
            times.append(time.perf_counter() - started)
            shown = result.data["assetNodeOrError"]["partitionStats"]["numMaterialized"]
    return times, shown


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, nargs="+", default=[1000, 10_000])
    asked = parser.parse_args()
    print(f"{machine()}\n\n| partitions | asset page, the first time | then, median of 5 |\n|---|---|---|", flush=True)
    for prompts in asked.prompts:
        with home() as (folder, variables):
            os.environ.update(variables)
            os.environ.pop("LLM_API_KEY")
            times, shown = page_seconds(materialize(folder, prompts), ["page", "preferences"])
        print(f"| {shown} | {times[0]:.2f} s | {statistics.median(times[1:]):.2f} s |", flush=True)


if __name__ == "__main__":
    main()

"""Time of the web UI's asset page with many partitions, measured by its GraphQL query.

Run `python -m benchmarks.asset_page --prompts 10000`. The prompts are registered and their preferences are materialized in
one range run, as the command line does it.
"""

import argparse
import os
import statistics
import time
from pathlib import Path

from benchmarks.measuring import benchmark_home, describe_machine, write_dataset

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
"""The query of the page of a partitioned asset."""
DEFINITIONS = """
import warnings
warnings.simplefilter("ignore")
from autosr_assets.cli.chosen_search import search_of_file
from autosr_assets.records.given_settings import GivenSettings
from autosr_assets.cli.shared import open_store
from autosr_lib.pipeline.progress import NoProgress
defs = search_of_file({path!r}, None, GivenSettings({{}}, {{}}, {{}}), open_store()).definitions(NoProgress())
"""


def materialize_preferences(folder: Path, prompts: int) -> Path:
    """Materialize the preferences of `prompts` prompts, and return the module with the definitions."""
    import dagster as dg

    from autosr_assets.cli.chosen_search import search_of_file
    from autosr_assets.cli.launch import Launch, PlannedRun
    from autosr_assets.cli.shared import open_store
    from autosr_assets.records.given_settings import GivenSettings
    from autosr_assets.runtime.home import dagster_home
    from autosr_lib.pipeline.progress import NoProgress

    path = write_dataset(folder / "page.jsonl", prompts)
    dagster_home()
    store = open_store()
    launch = Launch(search_of_file(path, None, GivenSettings({}, {}, {}), store), store, NoProgress())
    launch.execute(PlannedRun(frozenset([dg.AssetKey(["page", "dataset"])])))
    keys = tuple(f"p{number:06d}" for number in range(prompts))
    launch.execute(PlannedRun(frozenset([dg.AssetKey(["page", "preferences"])]), keys, checks=frozenset()))
    module = folder / "definitions_of_page.py"
    module.write_text(DEFINITIONS.format(path=path))
    return module


def measure_page(module: Path, asset: list[str]) -> tuple[list[float], int]:
    """Return the seconds that each of six requests takes, and the number of materialized partitions that the page shows."""
    import dagster as dg
    from dagster_graphql.test.utils import define_out_of_process_context, execute_dagster_graphql

    with dg.DagsterInstance.get() as instance, define_out_of_process_context(str(module), "defs", instance) as context:
        seconds, materialized = [], 0
        for _ in range(6):
            started = time.perf_counter()
            result = execute_dagster_graphql(context, PAGE, {"key": {"path": asset}})
            seconds.append(time.perf_counter() - started)
            materialized = result.data["assetNodeOrError"]["partitionStats"]["numMaterialized"]
    return seconds, materialized


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, nargs="+", default=[1000, 10_000])
    arguments = parser.parse_args()
    print(
        f"{describe_machine()}\n\n| partitions | asset page, first request | next 5 requests, median |\n|---|---|---|",
        flush=True,
    )
    for prompts in arguments.prompts:
        with benchmark_home() as (folder, variables):
            os.environ.update(variables)
            os.environ.pop("LLM_API_KEY")
            seconds, materialized = measure_page(materialize_preferences(folder, prompts), ["page", "preferences"])
        print(f"| {materialized} | {seconds[0]:.2f} s | {statistics.median(seconds[1:]):.2f} s |", flush=True)


if __name__ == "__main__":
    main()

"""Time and memory as the dataset grows, and what the web UI's asset page then takes.

Run `python -m benchmarks.growth --sizes 100 1000 10000 --generations 1`. The searches are `autosr search`, offline, with few proposals, so that what grows is mostly not the search itself.
"""

import argparse
import os
import statistics
import time
from pathlib import Path

from benchmarks.measuring import Used, autosr, home, machine, used_by, write_dataset

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


def search(folder: Path, variables: dict[str, str], prompts: int, generations: int) -> tuple[Used, Used]:
    """Return what a search used, and what it used when there was nothing left to do."""
    path = write_dataset(folder / f"n{prompts}.jsonl", prompts)
    told = ["--generations", str(generations), "--initial-proposals", "1", "--mutations-per-round", "1"]
    command = autosr("search", path, "--backend", "heuristic", *told)
    return used_by(command, variables), used_by(command, variables)


def page_seconds(folder: Path, prompts: int, generations: int) -> tuple[float, float, int]:
    """Return how long the asset page takes the first time and then (median of 5), and the partitions that it shows."""
    import dagster as dg
    from dagster_graphql.test.utils import define_out_of_process_context, execute_dagster_graphql

    module = folder / "definitions_of_growth.py"
    module.write_text(
        "import warnings\n"
        "warnings.simplefilter('ignore')\n"
        "from autosr_assets.cli.chosen_search import search_of_file\n"
        "from autosr_assets.cli.options import Told\n"
        "from autosr_assets.cli.shared import open_store\n"
        "from autosr_assets.resources import Silence\n"
        f"told = Told({{'generations': {generations}}}, {{}}, {{}})\n"
        f"defs = search_of_file({str(folder / f'n{prompts}.jsonl')!r}, None, told, open_store()).definitions(Silence())\n"
    )
    os.environ["DAGSTER_HOME"] = str(folder / "dagster")
    os.environ["AUTOSR_HOME"] = str(folder)
    key = {"path": [f"n{prompts}", f"generation_{generations:02d}"]}
    with (
        dg.DagsterInstance.get() as instance,
        define_out_of_process_context(str(module), "defs", instance) as context,
    ):
        times, shown = [], 0
        for _ in range(6):
            started = time.perf_counter()
            result = execute_dagster_graphql(context, PAGE, {"key": key})
            times.append(time.perf_counter() - started)
            shown = result.data["assetNodeOrError"]["partitionStats"]["numMaterialized"]
    return times[0], statistics.median(times[1:]), shown


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--generations", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=None, help="folder to leave the homes in")
    asked = parser.parse_args()
    print(f"{machine()}; 8 candidates a prompt, {asked.generations} generations\n")
    print("| prompts | CPU ms a prompt, startup off | wall s | peak MiB | again: CPU s | asset page: first, then |")
    print("|---|---|---|---|---|---|", flush=True)
    with home() as (folder, variables):
        startup, _ = search(folder, variables, 1, asked.generations)
    for prompts in asked.sizes:
        with home(asked.keep and asked.keep / str(prompts)) as (folder, variables):
            first, again = search(folder, variables, prompts, asked.generations)
            page, later, shown = page_seconds(folder, prompts, asked.generations)
        if shown != prompts:
            raise SystemExit(f"the page shows {shown} of {prompts} partitions")
        each = 1000 * (first - startup).cpu / prompts
        print(
            f"| {prompts} | {each:.0f} | {first.wall:.0f} | {first.peak:.0f} | {again.cpu:.1f} "
            f"| {page:.2f} s, {later:.2f} s |",
            flush=True,
        )


if __name__ == "__main__":
    main()

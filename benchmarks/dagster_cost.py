"""What Dagster and storage cost for one prompt in one asset, beside a bare chain of 15 assets in the same run.

Run `python -m benchmarks.dagster_cost --prompts 1000`; with `--storage FILE` the homes get that dagster.yaml (Postgres).

The bare chain does nothing: fifteen `-> None` assets over the same partitions, one range run, on Dagster's defaults. Ours
is `autosr search` with 12 generations, which is fifteen assets over prompts too; what the search itself takes is measured
on the same prompts without Dagster and taken off, and so is what the command takes over one prompt.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

from benchmarks.measuring import Used, autosr, home, machine, used_by, write_dataset

ASSETS = 15
GENERATIONS = ASSETS - 3
BARE = """
import sys, warnings
warnings.simplefilter("ignore")
import dagster as dg
prompts = dg.DynamicPartitionsDefinition(name="prompts")
def link(number):
    @dg.asset(name=f"a{number:02d}", deps=[f"a{number - 1:02d}"] if number else [], partitions_def=prompts,
              backfill_policy=dg.BackfillPolicy.single_run())
    def one() -> None: ...
    return one
keys = [f"p{n:06d}" for n in range(int(sys.argv[1]))]
with dg.DagsterInstance.get() as instance:
    instance.add_dynamic_partitions("prompts", keys)
    job = dg.Definitions([link(n) for n in range(int(sys.argv[2]))]).resolve_implicit_global_asset_job_def()
    tags = {"dagster/asset_partition_range_start": keys[0], "dagster/asset_partition_range_end": keys[-1]}
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    assert job.execute_in_process(instance=instance, tags=tags, run_config=quiet).success
"""


def bare(prompts: int, storage: str | None) -> Used:
    """Return what the bare chain used, less what it uses over one prompt."""
    used = []
    for count in (prompts, 1):
        with home() as (folder, variables):
            if storage:
                (folder / "dagster.yaml").write_text(storage)
            command = [sys.executable, "-c", BARE, str(count), str(ASSETS)]
            used.append(used_by(command, {**variables, "DAGSTER_HOME": str(folder)}))
    return used[0] - used[1]


def ours(prompts: int, storage: str | None, *options: str) -> Used:
    """Return what `autosr search` used, less what it uses over one prompt."""
    used = []
    for count in (prompts, 1):
        with home() as (folder, variables):
            if storage:
                (folder / "dagster").mkdir()
                (folder / "dagster" / "dagster.yaml").write_text(storage)
            path = write_dataset(folder / "d.jsonl", count)
            used.append(used_by(autosr("search", path, "--backend", "heuristic", *options), variables))
    return used[0] - used[1]


def searched_alone(path: str, generations: int) -> None:
    """Search the prompts of a file with the library only."""
    from autosr_lib.evaluation.reference import gather_preferences
    from autosr_lib.evaluation.settings import HoldoutSettings, ReferenceSettings
    from autosr_lib.heuristic import heuristic_roles
    from autosr_lib.search.case import Case
    from autosr_lib.search.search import search_prompt
    from autosr_lib.search.settings import SearchSettings, Structure
    from autosr_lib.search.state import Task
    from autosr_lib.storage.datasets import read_dataset

    async def search() -> None:
        roles, settings = heuristic_roles(7), SearchSettings()
        for prompt in read_dataset(path).prompts:
            known = await gather_preferences(prompt, ReferenceSettings(), roles.judge)
            case = Case.of(prompt, known, HoldoutSettings(), settings.objective)
            await search_prompt(Task(case, roles, settings, Structure(generations=generations)))

    asyncio.run(search())


def alone(prompts: int, generations: int) -> Used:
    """Return what the search itself used, less what it uses over one prompt."""
    used = []
    for count in (prompts, 1):
        with home() as (folder, variables):
            path = write_dataset(folder / "d.jsonl", count)
            code = f"from benchmarks.dagster_cost import searched_alone; searched_alone({path!r}, {generations})"
            used.append(used_by([sys.executable, "-c", code], variables))
    return used[0] - used[1]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=1000)
    parser.add_argument("--storage", type=Path, default=None, help="a dagster.yaml, for instance of Postgres")
    parser.add_argument("--stopped", action="store_true", help="also measure rows of prompts that have stopped")
    asked = parser.parse_args()
    storage = asked.storage.read_text() if asked.storage else None
    cells = asked.prompts * ASSETS
    print(f"{machine()}; {asked.prompts} prompts, {ASSETS} assets\n")
    print("| ms for a prompt in an asset | CPU | wall |\n|---|---|---|", flush=True)

    def row(name: str, used: Used) -> None:
        print(f"| {name} | {1000 * used.cpu / cells:.1f} | {1000 * used.wall / cells:.1f} |", flush=True)

    started = time.perf_counter()
    chain = bare(asked.prompts, storage)
    row("bare chain", chain)
    whole = ours(asked.prompts, storage, "--generations", str(GENERATIONS))
    row("ours, the search included", whole)
    search = alone(asked.prompts, GENERATIONS)
    row("the search alone", search)
    cost = whole - search
    row("ours, Dagster and storage", cost)
    print(f"\nof the bare chain: CPU {cost.cpu / chain.cpu:.2f}, wall {cost.wall / chain.wall:.2f}")
    if asked.stopped:
        told = ("--generations", str(GENERATIONS))
        first = ours(asked.prompts, storage, *told, "--max-generations", "0")
        row("ours, all prompts stopped after the first population, the search included", first)
        search = alone(asked.prompts, 0)
        row("ours, all prompts stopped, Dagster and storage", first - search)
    print(f"\nmeasured in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()

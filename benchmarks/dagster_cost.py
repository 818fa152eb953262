"""Cost of Dagster and storage for each prompt and asset, compared with a bare chain of 15 assets.

Run `python -m benchmarks.dagster_cost --prompts 1000`. With `--postgres` each command has its own Postgres: the bare chain
uses Dagster's storage, and our search that of `deploy/dagster.yaml`. With `--storage FILE` all homes get that dagster.yaml.
Rounds alternate, and the table shows their medians.

The bare chain has fifteen empty assets over the same partitions, in one range run, on Dagster's defaults. Our search is
`autosr search` with 12 generations, which also has fifteen assets over prompts. The cost of the search itself is measured
on the same prompts without Dagster and subtracted, and so is the cost of the command for one prompt.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from benchmarks.measuring import (
    ResourceUse,
    autosr_command,
    benchmark_home,
    describe_machine,
    measure_command,
    write_dataset,
)
from tests.distributed.services import DAGSTER_STORAGE, OUR_STORAGE, POSTGRES_VARIABLE, postgres, with_driver

ASSETS = 15
GENERATIONS = ASSETS - 3
BARE_CHAIN = """
import sys, warnings
warnings.simplefilter("ignore")
import dagster as dg
prompts = dg.DynamicPartitionsDefinition(name="prompts")
def link(number):
    @dg.asset(name=f"a{number:02d}", deps=[f"a{number - 1:02d}"] if number else [], partitions_def=prompts,
              backfill_policy=dg.BackfillPolicy.single_run())
    def empty() -> None: ...
    return empty
keys = [f"p{n:06d}" for n in range(int(sys.argv[1]))]
with dg.DagsterInstance.get() as instance:
    instance.add_dynamic_partitions("prompts", keys)
    job = dg.Definitions([link(n) for n in range(int(sys.argv[2]))]).resolve_implicit_global_asset_job_def()
    tags = {"dagster/asset_partition_range_start": keys[0], "dagster/asset_partition_range_end": keys[-1]}
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    assert job.execute_in_process(instance=instance, tags=tags, run_config=quiet).success
"""


@contextmanager
def home_with_storage(storage: str | None) -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield a home with this text as its dagster.yaml; if that names Postgres, the home has a Postgres of its own."""
    with benchmark_home() as (folder, variables), ExitStack() as servers:
        if storage and POSTGRES_VARIABLE in storage:
            variables[POSTGRES_VARIABLE] = with_driver(servers.enter_context(postgres(folder / "postgres")))
        (folder / "dagster").mkdir()
        if storage:
            (folder / "dagster" / "dagster.yaml").write_text(storage)
        yield folder, variables


def measure_bare_chain(prompts: int, storage: str | None) -> ResourceUse:
    """Return what the bare chain used, minus what it uses for one prompt."""
    uses = []
    for count in (prompts, 1):
        with home_with_storage(storage) as (folder, variables):
            command = [sys.executable, "-c", BARE_CHAIN, str(count), str(ASSETS)]
            uses.append(measure_command(command, {**variables, "DAGSTER_HOME": str(folder / "dagster")}))
    return uses[0] - uses[1]


def measure_search(prompts: int, storage: str | None, *options: str) -> ResourceUse:
    """Return what `autosr search` used, minus what it uses for one prompt."""
    uses = []
    for count in (prompts, 1):
        with home_with_storage(storage) as (folder, variables):
            path = write_dataset(folder / "d.jsonl", count)
            uses.append(measure_command(autosr_command("search", path, "--backend", "heuristic", *options), variables))
    return uses[0] - uses[1]


def measure_library(prompts: int, generations: int) -> ResourceUse:
    """Return what the search by the library used, minus what it uses for one prompt."""
    uses = []
    for count in (prompts, 1):
        with benchmark_home() as (folder, variables):
            path = write_dataset(folder / "d.jsonl", count)
            command = [sys.executable, "-m", "benchmarks.library_search", path, str(generations)]
            uses.append(measure_command(command, variables))
    return uses[0] - uses[1]


BARE, SEARCH, LIBRARY = "bare chain", "ours, the search included", "the search alone"
STOPPED_SEARCH = "all stopped after the first population, the search included"
STOPPED_LIBRARY = "the search alone, all stopped"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--storage", type=Path, default=None, help="a dagster.yaml for all homes")
    parser.add_argument("--postgres", action="store_true", help="a separate Postgres for each home")
    parser.add_argument("--stopped", action="store_true", help="also measure rows of prompts that have stopped")
    arguments = parser.parse_args()
    print(f"{describe_machine()}; prompts: {arguments.prompts}; {ASSETS} assets; median of {arguments.rounds} rounds")
    print(f"Dagster's records in {'Postgres' if arguments.postgres else arguments.storage or 'SQLite'}\n")
    started = time.perf_counter()
    measured = _measure(arguments)
    measured["ours, Dagster and storage"] = _subtract(measured[SEARCH], measured[LIBRARY])
    if arguments.stopped:
        stopped = _subtract(measured[STOPPED_SEARCH], measured[STOPPED_LIBRARY])
        measured["ours, all stopped, Dagster and storage"] = stopped
    _print_table(measured, arguments.prompts)
    print(f"\nmeasured in {time.perf_counter() - started:.0f} s")


def _measure(arguments: argparse.Namespace) -> dict[str, list[ResourceUse]]:
    """Return what each step used in each round."""
    given_storage = arguments.storage.read_text() if arguments.storage else None
    bare_storage, storage = _postgres_storages() if arguments.postgres else (given_storage, given_storage)
    prompts, options = arguments.prompts, ("--generations", str(GENERATIONS))
    steps: dict[str, Callable[[], ResourceUse]] = {
        BARE: lambda: measure_bare_chain(prompts, bare_storage),
        SEARCH: lambda: measure_search(prompts, storage, *options),
        LIBRARY: lambda: measure_library(prompts, GENERATIONS),
    }
    if arguments.stopped:
        steps[STOPPED_SEARCH] = lambda: measure_search(prompts, storage, *options, "--max-generations", "0")
        steps[STOPPED_LIBRARY] = lambda: measure_library(prompts, 0)
    measured: dict[str, list[ResourceUse]] = {name: [] for name in steps}
    for _ in range(arguments.rounds):
        for name, measure in steps.items():
            measured[name].append(measure())
    return measured


def _postgres_storages() -> tuple[str, str]:
    """Return the dagster.yaml of Dagster's own Postgres storage, and of ours."""
    return DAGSTER_STORAGE, OUR_STORAGE


def _subtract(uses: list[ResourceUse], parts: list[ResourceUse]) -> list[ResourceUse]:
    return [use - part for use, part in zip(uses, parts, strict=True)]


def _print_table(measured: dict[str, list[ResourceUse]], prompts: int) -> None:
    print("| ms for a prompt in an asset | CPU | wall | of the bare chain: CPU | wall |\n|---|---|---|---|---|")
    for name, rounds in measured.items():
        cpu, wall = (1000 * median(use[i] for use in rounds) / prompts / ASSETS for i in (1, 0))
        cpu_share, wall_share = (
            median(use[i] / bare[i] for use, bare in zip(rounds, measured[BARE], strict=True)) for i in (1, 0)
        )
        print(f"| {name} | {cpu:.1f} | {wall:.1f} | {cpu_share:.2f} | {wall_share:.2f} |")


if __name__ == "__main__":
    main()

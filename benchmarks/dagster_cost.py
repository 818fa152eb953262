"""What Dagster and storage cost for one prompt in one asset, beside a bare chain of 15 assets in the same run.

Run `python -m benchmarks.dagster_cost --prompts 1000`; with `--postgres` every command has a Postgres of its own, the bare
chain with Dagster's own storage and ours with that of `deploy/dagster.yaml`; with `--storage FILE` the homes get that
dagster.yaml. Rounds are taken in turn and their medians told.

The bare chain does nothing: fifteen `-> None` assets over the same partitions, one range run, on Dagster's defaults. Ours
is `autosr search` with 12 generations, which is fifteen assets over prompts too; what the search itself takes is measured
on the same prompts without Dagster and taken off, and so is what the command takes over one prompt.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

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


POSTGRES_ADDRESS = "AUTOSR_POSTGRES_URL"


@contextmanager
def stored_in(storage: str | None) -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield a home whose Dagster keeps its records as that dagster.yaml says, or in a Postgres that is the home's own."""
    with home() as (folder, variables), ExitStack() as servers:
        if storage and POSTGRES_ADDRESS in storage:
            from tests.distributed.services import postgres, with_driver

            variables[POSTGRES_ADDRESS] = with_driver(servers.enter_context(postgres(folder / "postgres")))
        (folder / "dagster").mkdir()
        if storage:
            (folder / "dagster" / "dagster.yaml").write_text(storage)
        yield folder, variables


def bare(prompts: int, storage: str | None) -> Used:
    """Return what the bare chain used, less what it uses over one prompt."""
    used = []
    for count in (prompts, 1):
        with stored_in(storage) as (folder, variables):
            command = [sys.executable, "-c", BARE, str(count), str(ASSETS)]
            used.append(used_by(command, {**variables, "DAGSTER_HOME": str(folder / "dagster")}))
    return used[0] - used[1]


def ours(prompts: int, storage: str | None, *options: str) -> Used:
    """Return what `autosr search` used, less what it uses over one prompt."""
    used = []
    for count in (prompts, 1):
        with stored_in(storage) as (folder, variables):
            path = write_dataset(folder / "d.jsonl", count)
            used.append(used_by(autosr("search", path, "--backend", "heuristic", *options), variables))
    return used[0] - used[1]


def searched_alone(path: str, generations: int) -> None:
    """Search the prompts of a file with the library only, in the graph's order: a generation of all, then the next."""
    from autosr_lib.evaluation.reference import gather_preferences
    from autosr_lib.evaluation.settings import HoldoutSettings, ReferenceSettings
    from autosr_lib.heuristic import heuristic_roles
    from autosr_lib.search.conclusion import conclude_search
    from autosr_lib.search.context import SearchContext
    from autosr_lib.search.prepared_prompt import PreparedPrompt
    from autosr_lib.search.probing import probe_rubric
    from autosr_lib.search.search import advance_search, start_search
    from autosr_lib.search.settings import SearchSettings, Structure
    from autosr_lib.storage.datasets import read_dataset

    async def search() -> None:
        roles, settings, structure = heuristic_roles(7), SearchSettings(), Structure(generations=generations)
        under_way = []
        for prompt in read_dataset(path).prompts:
            known = await gather_preferences(prompt, ReferenceSettings(), roles.judge)
            prepared = PreparedPrompt.of(prompt, known, HoldoutSettings(), settings.objective)
            context = SearchContext(prepared, roles, settings, structure)
            under_way.append((context, await start_search(context)))
        for _ in range(generations):
            under_way = [(context, await advance_search(context, state)) for context, state in under_way]
        for context, state in under_way:
            await probe_rubric(context, state, await conclude_search(context, state))

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
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--storage", type=Path, default=None, help="a dagster.yaml for all homes")
    parser.add_argument("--postgres", action="store_true", help="a Postgres of its own for every home")
    parser.add_argument("--stopped", action="store_true", help="also measure rows of prompts that have stopped")
    asked = parser.parse_args()
    named = asked.storage.read_text() if asked.storage else None
    theirs, storage = _in_postgres() if asked.postgres else (named, named)
    prompts, told = asked.prompts, ("--generations", str(GENERATIONS))
    print(f"{machine()}; {prompts} prompts, {ASSETS} assets, median of {asked.rounds} rounds in turn")
    print(f"records of Dagster in {'Postgres' if asked.postgres else asked.storage or 'SQLite'}\n")
    steps: dict[str, Callable[[], Used]] = {
        "bare chain": lambda: bare(prompts, theirs),
        "ours, the search included": lambda: ours(prompts, storage, *told),
        "the search alone": lambda: alone(prompts, GENERATIONS),
    }
    if asked.stopped:
        steps["all stopped after the first population, the search included"] = lambda: ours(
            prompts, storage, *told, "--max-generations", "0"
        )
        steps["the search alone, all stopped"] = lambda: alone(prompts, 0)
    started = time.perf_counter()
    found: dict[str, list[Used]] = {name: [] for name in steps}
    for _ in range(asked.rounds):
        for name, measure in steps.items():
            found[name].append(measure())
    found["ours, Dagster and storage"] = _less(found, "ours, the search included", "the search alone")
    if asked.stopped:
        found["ours, all stopped, Dagster and storage"] = _less(found, *list(steps)[3:])
    print("| ms for a prompt in an asset | CPU | wall | of the bare chain: CPU | wall |\n|---|---|---|---|---|")
    for name, rounds in found.items():
        cpu, wall = (1000 * median(used[i] for used in rounds) / prompts / ASSETS for i in (1, 0))
        shares = [
            median(used[i] / chain[i] for used, chain in zip(rounds, found["bare chain"], strict=True)) for i in (1, 0)
        ]
        print(f"| {name} | {cpu:.1f} | {wall:.1f} | {shares[0]:.2f} | {shares[1]:.2f} |")
    print(f"\nmeasured in {time.perf_counter() - started:.0f} s")


def _in_postgres() -> tuple[str, str]:
    from tests.distributed.services import DAGSTERS_OWN, DEPLOYED

    return DAGSTERS_OWN, DEPLOYED


def _less(found: dict[str, list[Used]], whole: str, part: str) -> list[Used]:
    return [one - other for one, other in zip(found[whole], found[part], strict=True)]


if __name__ == "__main__":
    main()

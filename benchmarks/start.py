"""Startup time of commands, compared with what Python and Dagster take.

Run `python -m benchmarks.start`. The demo is `autosr search` over three prompts in a fresh home. It is compared with a chain
of as many empty assets on Dagster's defaults, and with the search of the same prompts by the library alone.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence

from benchmarks.dagster_cost import BARE_CHAIN
from benchmarks.measuring import (
    ROOT,
    ResourceUse,
    autosr_command,
    benchmark_home,
    describe_machine,
    measure_command,
)

DEMO = str(ROOT / "examples" / "demo_dataset.json")
GENERATIONS = 3


OPEN_INSTANCE = "import dagster; dagster.DagsterInstance.get()"
OPEN_INSTANCE_OF_AUTOSR = (
    "import dagster; from autosr_assets.runtime.home import dagster_home; dagster_home(); dagster.DagsterInstance.get()"
)
SEARCH, CHAIN = "`autosr search` of the demo", "a chain of 6 empty assets over 3 prompts, Dagster alone"
LIBRARY, DAGSTER = "the search of the demo, library alone", "`import dagster`"
COMMANDS: Mapping[str, Callable[[], Sequence[str]]] = {
    "`autosr --help`": lambda: autosr_command("--help"),
    DAGSTER: lambda: [sys.executable, "-c", "import dagster"],
    "`DagsterInstance.get()` on an existing home": lambda: [sys.executable, "-c", OPEN_INSTANCE],
    CHAIN: lambda: [sys.executable, "-c", BARE_CHAIN, "3", "6"],
    LIBRARY: lambda: [sys.executable, "-m", "benchmarks.library_search", DEMO, str(GENERATIONS)],
    SEARCH: lambda: autosr_command("search", DEMO, "--backend", "heuristic"),
    "`autosr search` again, nothing to do": lambda: autosr_command("search", DEMO, "--backend", "heuristic"),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    measured: dict[str, list[ResourceUse]] = {name: [] for name in COMMANDS}
    for _ in range(arguments.rounds):
        with benchmark_home() as (folder, variables), benchmark_home() as (_, autosr_variables):
            dagster_variables = {**variables, "DAGSTER_HOME": str(folder)}
            measure_command([sys.executable, "-c", OPEN_INSTANCE], dagster_variables)
            measure_command([sys.executable, "-c", OPEN_INSTANCE_OF_AUTOSR], autosr_variables)
            for name, command in COMMANDS.items():
                environment = autosr_variables if "autosr" in name else dagster_variables
                measured[name].append(measure_command(command(), environment))
    print(f"{describe_machine()}; median of {arguments.rounds} alternating rounds\n")
    print("| | wall s | CPU s |\n|---|---|---|")
    medians = {
        name: (statistics.median(use.wall for use in rounds), statistics.median(use.cpu for use in rounds))
        for name, rounds in measured.items()
    }
    for name, (wall, cpu) in medians.items():
        print(f"| {name} | {wall:.2f} | {cpu:.2f} |")
    wall, cpu = (medians[SEARCH][i] - medians[CHAIN][i] - medians[LIBRARY][i] for i in (0, 1))
    print(f"\n{SEARCH} above Dagster's chain and the search: wall {wall:+.2f} s, CPU {cpu:+.2f} s")


if __name__ == "__main__":
    main()

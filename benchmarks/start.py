"""How long commands take to start, beside what Python and Dagster take.

Run `python -m benchmarks.start`. The demo is `autosr search` over three prompts on a fresh home; what of it is not ours is a
chain of as many assets that do nothing, on Dagster's defaults, and the search of the same prompts by the library alone.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence

from benchmarks.dagster_cost import BARE
from benchmarks.measuring import ROOT, Used, autosr, home, machine, used_by

DEMO = str(ROOT / "examples" / "demo_dataset.json")
GENERATIONS = 3


def _library() -> list[str]:
    return [
        sys.executable,
        "-c",
        f"from benchmarks.dagster_cost import searched_alone; searched_alone({DEMO!r}, {GENERATIONS})",
    ]


SEARCH, CHAIN = "`autosr search` of the demo", "a chain of 6 empty assets over 3 prompts, Dagster alone"
LIBRARY, DAGSTER = "the search of the demo, library alone", "`import dagster`"
COMMANDS: Mapping[str, Callable[[], Sequence[str]]] = {
    "`autosr --help`": lambda: autosr("--help"),
    DAGSTER: lambda: [sys.executable, "-c", "import dagster"],
    "`DagsterInstance.get()` on a home that is there": lambda: [
        sys.executable, "-c", "import dagster; dagster.DagsterInstance.get()",
    ],
    CHAIN: lambda: [sys.executable, "-c", BARE, "3", "6"],
    LIBRARY: _library,
    SEARCH: lambda: autosr("search", DEMO, "--backend", "heuristic"),
    "`autosr search` again, nothing to do": lambda: autosr("search", DEMO, "--backend", "heuristic"),
}  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    found: dict[str, list[Used]] = {name: [] for name in COMMANDS}
    for _ in range(asked.rounds):
        with home() as (folder, variables), home() as (_, told):
            dagster = {**variables, "DAGSTER_HOME": str(folder)}
            used_by([sys.executable, "-c", "import dagster; dagster.DagsterInstance.get()"], dagster)
            used_by(
                [
                    sys.executable,
                    "-c",
                    "import dagster; from autosr_assets.runtime.home import dagster_home; dagster_home(); dagster.DagsterInstance.get()",
                ],
                told,
            )
            for name, command in COMMANDS.items():
                found[name].append(used_by(command(), told if "autosr" in name else dagster))
    print(f"{machine()}; median of {asked.rounds} rounds in turn\n")
    print("| | wall s | CPU s |\n|---|---|---|")
    median = {name: [statistics.median(one[place] for one in used) for place in (0, 1)] for name, used in found.items()}
    for name, (wall, cpu) in median.items():
        print(f"| {name} | {wall:.2f} | {cpu:.2f} |")
    search, chain, library = (median[name] for name in (SEARCH, CHAIN, LIBRARY))
    above = [search[place] - chain[place] - library[place] for place in (0, 1)]
    print(f"\n{SEARCH} above Dagster's chain and the search: wall {above[0]:+.2f} s, CPU {above[1]:+.2f} s")


if __name__ == "__main__":
    main()

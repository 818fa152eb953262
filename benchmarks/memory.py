"""Peak memory of reading datasets of growing size.

Run `python -m benchmarks.memory --sizes 1000 10000 100000`. Each command runs in a process of its own: `autosr validate`,
`autosr search --dry-run`, and the asset `dataset`, which stores and registers the prompts.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measuring import autosr_command, benchmark_home, describe_machine, measure_command, write_dataset

DATASET_ASSET = """
import sys
from autosr_assets.cli.chosen_search import search_of_file
from autosr_assets.cli.launch import Launch, PlannedRun
from autosr_assets.runtime.graph_names import dataset_key
from autosr_assets.records.given_settings import GivenSettings
from autosr_assets.cli.shared import open_store
from autosr_lib.pipeline.progress import NoProgress
store = open_store()
search = search_of_file(sys.argv[1], None, GivenSettings({}, {}, {}), store)
Launch(search, store, NoProgress()).execute(PlannedRun(frozenset([dataset_key(search.dataset)])))
"""


def commands(path: str) -> dict[str, Sequence[str]]:
    """Return the measured commands over the dataset at `path`, by name."""
    return {
        "`autosr validate`": autosr_command("validate", path),
        "`autosr search --dry-run`": autosr_command("search", path, "--backend", "heuristic", "--dry-run"),
        "the asset `dataset`": [sys.executable, "-c", DATASET_ASSET, path],
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000])
    arguments = parser.parse_args()
    names = list(commands(""))
    print(f"{describe_machine()}; 8 candidates a prompt; peak MiB (CPU s)\n")
    print("| prompts | file, MB | " + " | ".join(names) + " |\n|" + "---|" * (2 + len(names)), flush=True)
    for prompts in arguments.sizes:
        with benchmark_home() as (folder, variables):
            path = write_dataset(folder / f"n{prompts}.jsonl", prompts)
            size = Path(path).stat().st_size
            use = {name: measure_command(command, variables) for name, command in commands(path).items()}
        cells = " | ".join(f"{use[name].peak:.0f} ({use[name].cpu:.1f})" for name in names)
        print(f"| {prompts} | {size / 1e6:.0f} | {cells} |", flush=True)


if __name__ == "__main__":
    main()

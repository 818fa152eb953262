"""Most memory that reading a dataset takes, as the dataset grows.

Run `python -m benchmarks.memory --sizes 1000 10000 100000`. Each command is a process of its own, as a user starts it: a check of
the file, a look at what there is to do, and the asset `dataset`, which stores the prompts and registers them.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measuring import autosr, home, machine, used_by, write_dataset

ASSET = """
import sys
from autosr_assets.cli.chosen_search import search_of_file
from autosr_assets.cli.launch import Launch, RunRequest
from autosr_assets.runtime.graph_names import dataset_key
from autosr_assets.records.given_settings import GivenSettings
from autosr_assets.cli.shared import open_store
from autosr_lib.pipeline.progress import NoProgress
store = open_store()
search = search_of_file(sys.argv[1], None, GivenSettings({}, {}, {}), store)
Launch(search, store, NoProgress()).execute(RunRequest(frozenset([dataset_key(search.dataset)])))
"""


def commands(path: str) -> dict[str, Sequence[str]]:
    """Return what is measured, by name."""
    return {
        "`autosr validate`": autosr("validate", path),
        "`autosr search --dry-run`": autosr("search", path, "--backend", "heuristic", "--dry-run"),
        "the asset `dataset`": [sys.executable, "-c", ASSET, path],
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000])
    asked = parser.parse_args()
    names = list(commands(""))
    print(f"{machine()}; 8 candidates a prompt; peak MiB (CPU s)\n")
    print("| prompts | file, MB | " + " | ".join(names) + " |\n|" + "---|" * (2 + len(names)), flush=True)
    for prompts in asked.sizes:
        with home() as (folder, variables):
            path = write_dataset(folder / f"n{prompts}.jsonl", prompts)
            size, used = (
                Path(path).stat().st_size,
                {name: used_by(told, variables) for name, told in commands(path).items()},
            )
        told = " | ".join(f"{used[name].peak:.0f} ({used[name].cpu:.1f})" for name in names)
        print(f"| {prompts} | {size / 1e6:.0f} | {told} |", flush=True)


if __name__ == "__main__":
    main()

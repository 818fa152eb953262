"""Time and memory as the dataset grows.

Run `python -m benchmarks.growth --sizes 100 1000 10000 --generations 1`. The searches are `autosr search`, offline, with few proposals, so that what grows is mostly not the search itself.
"""

import argparse
from pathlib import Path

from benchmarks.measuring import Used, autosr, home, machine, used_by, write_dataset


def search(folder: Path, variables: dict[str, str], prompts: int, generations: int) -> tuple[Used, Used]:
    """Return what a search used, and what it used when there was nothing left to do."""
    path = write_dataset(folder / f"n{prompts}.jsonl", prompts)
    told = ["--generations", str(generations), "--initial-proposals", "1", "--mutations-per-round", "1"]
    command = autosr("search", path, "--backend", "heuristic", *told)
    return used_by(command, variables), used_by(command, variables)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--generations", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=None, help="folder to leave the homes in")
    asked = parser.parse_args()
    print(f"{machine()}; 8 candidates a prompt, {asked.generations} generations\n")
    print("| prompts | CPU ms a prompt, startup off | wall s | peak MiB | again, nothing to do: CPU s |")
    print("|---|---|---|---|---|", flush=True)
    with home() as (folder, variables):
        startup, _ = search(folder, variables, 1, asked.generations)
    for prompts in asked.sizes:
        with home(asked.keep and asked.keep / str(prompts)) as (folder, variables):
            first, again = search(folder, variables, prompts, asked.generations)
        each = 1000 * (first - startup).cpu / prompts
        print(f"| {prompts} | {each:.0f} | {first.wall:.0f} | {first.peak:.0f} | {again.cpu:.1f} |", flush=True)


if __name__ == "__main__":
    main()

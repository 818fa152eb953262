"""Time and memory of searching datasets of growing size.

Run `python -m benchmarks.growth --sizes 100 1000 10000 --generations 1`. The searches are `autosr search`, offline and with
few proposals, so that most of the time is not spent on the search itself.
"""

import argparse
from pathlib import Path

from benchmarks.measuring import (
    ResourceUse,
    autosr_command,
    benchmark_home,
    describe_machine,
    measure_command,
    write_dataset,
)


def search(folder: Path, variables: dict[str, str], prompts: int, generations: int) -> tuple[ResourceUse, ResourceUse]:
    """Return what a search used, and what the same command used when there was nothing left to do."""
    path = write_dataset(folder / f"n{prompts}.jsonl", prompts)
    options = ["--generations", str(generations), "--initial-proposals", "1", "--mutations-per-round", "1"]
    command = autosr_command("search", path, "--backend", "heuristic", *options)
    return measure_command(command, variables), measure_command(command, variables)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--generations", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=None, help="keep the homes in this folder")
    arguments = parser.parse_args()
    print(f"{describe_machine()}; 8 candidates a prompt, generations: {arguments.generations}\n")
    print("| prompts | CPU ms a prompt, without startup | wall s | peak MiB | repeated, nothing to do: CPU s |")
    print("|---|---|---|---|---|", flush=True)
    with benchmark_home() as (folder, variables):
        startup, _ = search(folder, variables, 1, arguments.generations)
    for prompts in arguments.sizes:
        with benchmark_home(arguments.keep and arguments.keep / str(prompts)) as (folder, variables):
            first, repeated = search(folder, variables, prompts, arguments.generations)
        cpu_per_prompt = 1000 * (first - startup).cpu / prompts
        print(
            f"| {prompts} | {cpu_per_prompt:.0f} | {first.wall:.0f} | {first.peak:.0f} | {repeated.cpu:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

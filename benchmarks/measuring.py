"""What the benchmarks of speed share: datasets to search, and what a command used."""

import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "examples" / "demo_dataset_with_rank.json"


class Used(NamedTuple):
    """What a command took, as the operating system counted it."""

    wall: float
    cpu: float
    """Seconds of user and system together."""
    peak: float
    """Most memory, MiB."""

    def __sub__(self, other: "Used") -> "Used":
        return Used(self.wall - other.wall, self.cpu - other.cpu, self.peak)


def used_by(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Used:
    """Return what a command used; its output goes to a file that is shown if it fails."""
    with tempfile.TemporaryFile("w+") as output:
        started = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - commands of the benchmarks
            command, stdout=output, stderr=output, env={**os.environ, **(environment or {})}, cwd=ROOT
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - started
        if process.returncode:
            output.seek(0)
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{output.read()[-3000:]}")
    return Used(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def autosr(*arguments: str) -> list[str]:
    """Return the command line of `autosr`, as a user types it."""
    return [str(Path(sys.executable).parent / "autosr"), *arguments]


def write_dataset(path: Path, prompts: int, candidates: int = 8) -> str:
    """Write ranked prompts whose responses are made of the sentences of the example's, and return the path.

    Texts differ from prompt to prompt, so that nothing is answered from a cache that a user's run would not have.
    """
    known = json.loads(SOURCE.read_text(encoding="utf-8"))["prompts"]
    with path.open("w", encoding="utf-8") as file:
        for number in range(prompts):
            rng = random.Random(number)
            source = known[number % len(known)]
            sentences = [s for one in source["candidates"] for s in one["text"].replace("\n", " ").split(". ") if s]
            texts = [". ".join(rng.sample(sentences, min(len(sentences), 8))) for _ in range(candidates)]
            row = {
                "prompt_id": f"p{number:06d}",
                "prompt": f"{source['prompt']} (case {number})",
                "candidates": [
                    {"candidate_id": f"c{place}", "text": f"{text}. ({place})", "metadata": {"rank": place + 1}}
                    for place, text in enumerate(texts)
                ],
            }
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return str(path)


@contextmanager
def home(keep: Path | None = None) -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield a folder and the variables that make it the home of every command; removed in the end unless it is `keep`."""
    with tempfile.TemporaryDirectory() as made:
        folder = keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        variables = {"AUTOSR_HOME": str(folder), "AUTOSR_STORAGE": "", "DAGSTER_HOME": "", "LLM_API_KEY": ""}
        yield folder, {**variables, "DAGSTER_DISABLE_TELEMETRY": "1"}


def machine() -> str:
    """Return the machine and the day, for the table."""
    model = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "?"
    )
    load = f"{os.getloadavg()[0]:.1f}"
    return f"{os.cpu_count()} x {model}, Python {platform.python_version()}, {time.strftime('%Y-%m-%d %H:%M')}, load {load}"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []

"""Shared by the speed benchmarks: datasets to search, a temporary home, and the resources that a command uses."""

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


class ResourceUse(NamedTuple):
    """What a command used, as the operating system counted it."""

    wall: float
    """Seconds from start to end."""
    cpu: float
    """Seconds of user and system time."""
    peak: float
    """Peak memory in MiB."""

    def __sub__(self, other: "ResourceUse") -> "ResourceUse":
        return ResourceUse(self.wall - other.wall, self.cpu - other.cpu, self.peak)


def measure_command(command: Sequence[str], environment: Mapping[str, str] | None = None) -> ResourceUse:
    """Run a command and return what it used; if it fails, exit with the end of its output."""
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
    return ResourceUse(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def autosr_command(*arguments: str) -> list[str]:
    """Return the command line of `autosr` with these arguments."""
    return [str(Path(sys.executable).parent / "autosr"), *arguments]


def write_dataset(path: Path, prompts: int, candidates: int = 8) -> str:
    """Write ranked prompts whose responses are made of sentences of the example dataset, and return the path.

    Texts differ from prompt to prompt, so that caches help no more than they help a user.
    """
    examples = json.loads(SOURCE.read_text(encoding="utf-8"))["prompts"]
    with path.open("w", encoding="utf-8") as file:
        for number in range(prompts):
            rng = random.Random(number)
            example = examples[number % len(examples)]
            sentences = [
                sentence
                for candidate in example["candidates"]
                for sentence in candidate["text"].replace("\n", " ").split(". ")
                if sentence
            ]
            texts = [". ".join(rng.sample(sentences, min(len(sentences), 8))) for _ in range(candidates)]
            prompt = {
                "prompt_id": f"p{number:06d}",
                "prompt": f"{example['prompt']} (case {number})",
                "candidates": [
                    {"candidate_id": f"c{index}", "text": f"{text}. ({index})", "metadata": {"rank": index + 1}}
                    for index, text in enumerate(texts)
                ],
            }
            file.write(json.dumps(prompt, ensure_ascii=False) + "\n")
    return str(path)


@contextmanager
def benchmark_home(keep: Path | None = None) -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield a folder, and the environment variables that make it the home of a command.

    The folder is removed at the end, unless it is `keep`.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        variables = {"AUTOSR_HOME": str(folder), "AUTOSR_STORAGE": "", "DAGSTER_HOME": "", "LLM_API_KEY": ""}
        yield folder, {**variables, "DAGSTER_DISABLE_TELEMETRY": "1"}


def describe_machine() -> str:
    """Return the processor, Python's version, the time and the load, as the head of a table of results."""
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

"""The readers of untrusted input, fuzzed with atheris for a limited time."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_corpus import CASES

pytest.importorskip("atheris", reason="atheris is not installed; run: pip install 'autosr[fuzz]'")

SECONDS = 10


@pytest.mark.slow
@pytest.mark.parametrize("target", ["replies", "datasets"])
def test_readers_raise_only_their_own_error_for_any_bytes(target: str, tmp_path: Path) -> None:
    for number, (kind, case) in enumerate(CASES):
        if kind.startswith(target):
            prefix = b"\0" if target == "datasets" else b""
            (tmp_path / str(number)).write_bytes(prefix + case["content"].encode())

    completed = subprocess.run(  # noqa: S603 - our own arguments
        [
            sys.executable,
            "-m",
            "tests.fuzz.targets",
            target,
            str(tmp_path),
            f"-max_total_time={SECONDS}",
            "-rss_limit_mb=0",
        ],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )

    assert completed.returncode == 0, completed.stderr[-3000:]
    runs = re.search(r"Done (\d+) (?:runs|in)", completed.stderr)
    assert runs is not None, completed.stderr[-500:]
    assert int(runs.group(1)) > 100

"""The readers of what others wrote, under atheris for a bounded time."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_corpus import CASES

pytest.importorskip("atheris", reason="atheris is not here: pip install 'autosr[fuzz]'")

SECONDS = 10


@pytest.mark.slow
@pytest.mark.parametrize(("target", "kinds"), [("replies", "replies"), ("datasets", "datasets")])
def test_readers_raise_only_their_own_error_for_any_bytes(target: str, kinds: str, tmp_path: Path) -> None:
    for number, (kind, case) in enumerate(CASES):
        if kind.startswith(kinds):
            prefix = b"\0" if target == "datasets" else b""
            (tmp_path / str(number)).write_bytes(prefix + case["content"].encode())

    done = subprocess.run(  # noqa: S603 - our own arguments
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

    assert done.returncode == 0, done.stderr[-3000:]
    tried = re.search(r"Done (\d+) (?:runs|in)", done.stderr)
    assert tried is not None, done.stderr[-500:]
    assert int(tried.group(1)) > 100

"""Replies on disk."""

import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from autosr_lib.llm.cache import FILE_NAME, NoCache, ReplyCache, SqliteReplyCache, request_key


def test_what_was_put_is_there_for_the_next_who_opens(tmp_path: Path) -> None:
    first = SqliteReplyCache(tmp_path)
    first.put("k", "reply ü 中文")

    second = SqliteReplyCache(tmp_path)

    assert second.get("k") == "reply ü 中文"
    assert second.get("other") is None


def test_it_works_on_after_it_was_closed(tmp_path: Path) -> None:
    cache = SqliteReplyCache(tmp_path)
    cache.put("k", "v")

    cache.close()

    assert cache.get("k") == "v"


def test_clear_forgets_all_and_says_how_many(tmp_path: Path) -> None:
    cache = SqliteReplyCache(tmp_path)
    for number in range(7):
        cache.put(str(number), "v")

    assert cache.info().entries == 7
    assert cache.info().size_bytes > 0
    assert cache.clear() == 7
    assert cache.info().entries == 0


def test_asking_about_a_cache_that_is_not_there_makes_none(tmp_path: Path) -> None:
    cache = SqliteReplyCache(tmp_path / "none")

    assert cache.info().entries == cache.clear() == 0
    assert not (tmp_path / "none").exists()


def test_a_broken_file_is_set_aside_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"this is no database" * 500)
    cache = SqliteReplyCache(tmp_path)

    cache.put("k", "v")

    assert cache.get("k") == "v"
    assert len(list(tmp_path.glob(f"{FILE_NAME}.broken-*"))) == 1
    assert "is broken" in caplog.text


def test_a_file_that_breaks_while_it_is_open_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = SqliteReplyCache(tmp_path)
    for number in range(200):
        cache.put(f"{number}", "x" * 500)
    cache.close()
    whole = (tmp_path / FILE_NAME).read_bytes()
    (tmp_path / FILE_NAME).write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))

    assert cache.get("150") is None
    cache.put("k", "v")

    assert cache.get("k") == "v"
    assert "is broken" in caplog.text


BREAKERS, KEPT = 3, 5
BREAKER = """
import sys, time
from pathlib import Path
from autosr_lib.llm.cache import SqliteReplyCache

def late(*paths, rename=Path.rename):
    time.sleep(0.1 + 0.1 * int(me))
    return rename(*paths)

folder, me, kept = sys.argv[1:]
Path.rename = late  # between looking at the file and moving it, the others are let in
print("ready", flush=True)
sys.stdin.readline()
cache = SqliteReplyCache(folder)
for number in range(int(kept)):
    cache.put(f"{me}-{number}", "v")
"""


def test_processes_that_meet_a_broken_file_at_once_set_it_aside_once_and_lose_no_reply(tmp_path: Path) -> None:
    broken = b"this is no database" * 500
    (tmp_path / FILE_NAME).write_bytes(broken)
    processes = [
        subprocess.Popen(  # noqa: S603 - our own arguments
            [sys.executable, "-c", BREAKER, str(tmp_path), str(me), str(KEPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for me in range(BREAKERS)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)

    assert SqliteReplyCache(tmp_path).info().entries == BREAKERS * KEPT
    assert [path.read_bytes() for path in tmp_path.glob(f"{FILE_NAME}.broken-*")] == [broken]


def test_who_has_the_file_open_writes_to_the_new_one_after_another_set_it_aside(tmp_path: Path) -> None:
    open_already = SqliteReplyCache(tmp_path)
    open_already.put("before", "v")
    (tmp_path / FILE_NAME).rename(tmp_path / f"{FILE_NAME}.broken-1")
    SqliteReplyCache(tmp_path).put("by another", "v")

    open_already.put("after", "v")

    assert SqliteReplyCache(tmp_path).get("after") == "v"
    assert open_already.get("by another") == "v"


def test_a_locked_file_is_gone_without_for_a_while(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autosr_lib.llm.cache.LOCK_SECONDS", 0.05)
    cache = SqliteReplyCache(tmp_path)
    cache.put("k", "v")
    cache.close()
    other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    started = time.monotonic()
    for number in range(100):
        cache.put(f"{number}", "v")

    assert time.monotonic() - started < 1
    assert caplog.text.count("cannot be used") == 1
    assert not list(tmp_path.glob("*.broken-*"))
    other.execute("ROLLBACK")
    monkeypatch.setattr(cache, "_paused_until", 0.0)
    assert cache.get("k") == "v"


def test_a_folder_that_cannot_be_made_costs_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = SqliteReplyCache(tmp_path / "file" / "cache")

    cache.put("k", "v")

    assert cache.get("k") is None
    assert "cannot be used" in caplog.text


def test_threads_share_it(tmp_path: Path) -> None:
    cache = SqliteReplyCache(tmp_path)
    threads = [threading.Thread(target=lambda n=n: [cache.put(f"{n}-{i}", "v") for i in range(50)]) for n in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert cache.info().entries == 200


def test_a_key_names_the_content_and_not_the_order_of_the_fields() -> None:
    assert request_key({"a": 1, "b": [1]}) == request_key({"b": [1], "a": 1})
    assert request_key({"a": 1}) != request_key({"a": 1.5})


@pytest.mark.parametrize("off", [True, False])
def test_every_cache_fills_the_role(tmp_path: Path, off: bool) -> None:
    cache: ReplyCache = NoCache() if off else SqliteReplyCache(tmp_path)

    cache.put("k", "v")

    assert cache.get("k") == (None if off else "v")
    assert cache.info().entries == cache.clear() == (0 if off else 1)
    cache.close()


def test_reading_is_fast(tmp_path: Path) -> None:
    cache = SqliteReplyCache(tmp_path)
    for number in range(500):
        cache.put(request_key({"n": number}), "reply " * 200)

    started = time.process_time()
    for number in range(500):
        assert cache.get(request_key({"n": number}))

    assert 500 / (time.process_time() - started) > 4000

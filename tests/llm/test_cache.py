"""The reply cache on disk."""

import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from autosr_lib.llm.cache.reply_cache import NoCache, ReplyCache, request_key
from autosr_lib.llm.cache.sqlite import FILE_NAME, SqliteReplyCache


def test_a_stored_reply_can_be_read_by_another_instance(tmp_path: Path) -> None:
    first = SqliteReplyCache(tmp_path)
    first.put("k", "reply ü 中文")

    second = SqliteReplyCache(tmp_path)

    assert second.get("k") == "reply ü 中文"
    assert second.get("other") is None


def test_the_cache_can_be_used_after_it_was_closed(tmp_path: Path) -> None:
    cache = SqliteReplyCache(tmp_path)
    cache.put("k", "v")

    cache.close()

    assert cache.get("k") == "v"


def test_clear_deletes_all_replies_and_returns_their_number(tmp_path: Path) -> None:
    cache = SqliteReplyCache(tmp_path)
    for number in range(7):
        cache.put(str(number), "v")

    assert cache.info().entries == 7
    assert cache.info().size_bytes > 0
    assert cache.clear() == 7
    assert cache.info().entries == 0


def test_the_size_of_a_missing_cache_is_zero_and_does_not_create_it(tmp_path: Path) -> None:
    cache = SqliteReplyCache(tmp_path / "none")

    assert cache.info().entries == cache.clear() == 0
    assert not (tmp_path / "none").exists()


def test_a_corrupt_file_is_moved_aside_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"this is no database" * 500)
    cache = SqliteReplyCache(tmp_path)

    cache.put("k", "v")

    assert cache.get("k") == "v"
    assert len(list(tmp_path.glob(f"{FILE_NAME}.broken-*"))) == 1
    assert "is corrupt" in caplog.text


def test_a_file_that_becomes_corrupt_later_is_moved_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = SqliteReplyCache(tmp_path)
    for number in range(200):
        cache.put(f"{number}", "x" * 500)
    cache.close()
    content = (tmp_path / FILE_NAME).read_bytes()
    (tmp_path / FILE_NAME).write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))

    assert cache.get("150") is None
    cache.put("k", "v")

    assert cache.get("k") == "v"
    assert "is corrupt" in caplog.text


PROCESSES, REPLIES = 3, 5
PROCESS = """
import sys, time
from pathlib import Path
from autosr_lib.llm.cache.sqlite import SqliteReplyCache

def rename_late(*paths, rename=Path.rename):
    time.sleep(0.1 + 0.1 * int(number))
    return rename(*paths)

folder, number, replies = sys.argv[1:]
Path.rename = rename_late  # lets the other processes run between the check of the file and its move
print("ready", flush=True)
sys.stdin.readline()
cache = SqliteReplyCache(folder)
for reply in range(int(replies)):
    cache.put(f"{number}-{reply}", "v")
"""


def test_concurrent_processes_move_a_corrupt_file_aside_once_and_lose_no_reply(tmp_path: Path) -> None:
    corrupt = b"this is no database" * 500
    (tmp_path / FILE_NAME).write_bytes(corrupt)
    processes = [
        subprocess.Popen(  # noqa: S603 - our own arguments
            [sys.executable, "-c", PROCESS, str(tmp_path), str(number), str(REPLIES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
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

    assert SqliteReplyCache(tmp_path).info().entries == PROCESSES * REPLIES
    assert [path.read_bytes() for path in tmp_path.glob(f"{FILE_NAME}.broken-*")] == [corrupt]


def test_an_open_cache_writes_to_the_new_file_after_another_process_moved_the_old_one(tmp_path: Path) -> None:
    open_cache = SqliteReplyCache(tmp_path)
    open_cache.put("before", "v")
    (tmp_path / FILE_NAME).rename(tmp_path / f"{FILE_NAME}.broken-1")
    SqliteReplyCache(tmp_path).put("by another", "v")

    open_cache.put("after", "v")

    assert SqliteReplyCache(tmp_path).get("after") == "v"
    assert open_cache.get("by another") == "v"


def test_a_locked_file_pauses_the_cache(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autosr_lib.llm.cache.sqlite.LOCK_SECONDS", 0.05)
    cache = SqliteReplyCache(tmp_path)
    cache.put("k", "v")
    cache.close()
    other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    started = time.monotonic()
    for number in range(100):
        cache.put(f"{number}", "v")

    assert time.monotonic() - started < 1
    assert caplog.text.count("is unavailable") == 1
    assert not list(tmp_path.glob("*.broken-*"))
    other.execute("ROLLBACK")
    monkeypatch.setattr(cache, "_paused_until", 0.0)
    assert cache.get("k") == "v"


def test_a_folder_that_cannot_be_created_causes_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = SqliteReplyCache(tmp_path / "file" / "cache")

    cache.put("k", "v")

    assert cache.get("k") is None
    assert "is unavailable" in caplog.text


def test_threads_share_a_cache(tmp_path: Path) -> None:
    cache = SqliteReplyCache(tmp_path)
    threads = [threading.Thread(target=lambda n=n: [cache.put(f"{n}-{i}", "v") for i in range(50)]) for n in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert cache.info().entries == 200


def test_a_key_depends_on_the_content_and_not_on_the_order_of_the_fields() -> None:
    assert request_key({"a": 1, "b": [1]}) == request_key({"b": [1], "a": 1})
    assert request_key({"a": 1}) != request_key({"a": 1.5})


@pytest.mark.parametrize("is_off", [True, False])
def test_each_cache_implements_the_protocol(tmp_path: Path, is_off: bool) -> None:
    cache: ReplyCache = NoCache() if is_off else SqliteReplyCache(tmp_path)

    cache.put("k", "v")

    assert cache.get("k") == (None if is_off else "v")


def test_reading_is_fast(tmp_path: Path) -> None:
    cache = SqliteReplyCache(tmp_path)
    for number in range(500):
        cache.put(request_key({"n": number}), "reply " * 200)

    started = time.process_time()
    for number in range(500):
        assert cache.get(request_key({"n": number}))

    assert 500 / (time.process_time() - started) > 4000

"""Replies on disk."""

import sqlite3
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

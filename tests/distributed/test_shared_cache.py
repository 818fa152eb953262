"""The reply cache in a real Postgres."""

import logging
import multiprocessing
import threading
import time

import pytest

from autosr_lib.errors import SettingsError
from autosr_lib.llm.addresses import without_credentials
from autosr_lib.llm.cache import open_cache
from autosr_lib.llm.cache.postgres import PostgresReplyCache
from autosr_lib.llm.cache.reply_cache import ReplyCache
from autosr_lib.llm.settings import LlmSettings
from tests.distributed.services import Services, free_port

pytestmark = pytest.mark.distributed


@pytest.fixture
def cache(services: Services) -> PostgresReplyCache:
    cache = PostgresReplyCache(services.postgres)
    cache.clear()
    return cache


def test_machines_share_replies(cache: PostgresReplyCache, services: Services) -> None:
    cache.put("k", "reply ü 中文 😀")

    second: ReplyCache = open_cache(services.database)

    assert second.get("k") == "reply ü 中文 😀"
    assert second.get("unknown") is None
    assert second.info().entries == 1
    assert second.clear() == 1
    assert cache.get("k") is None


def _put_many(address: str, name: str) -> None:
    for number in range(50):
        open_cache(address).put(f"{name}-{number}", "v")


def test_processes_that_start_at_the_same_time_create_one_table(services: Services) -> None:
    first = PostgresReplyCache(services.postgres)
    first._run(lambda db: db.execute("DROP TABLE IF EXISTS autosr_replies"))
    first.close()
    processes = [multiprocessing.Process(target=_put_many, args=(services.postgres, str(n))) for n in range(3)]

    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert first.info().entries == 150


def test_threads_share_a_connection(cache: PostgresReplyCache) -> None:
    threads = [threading.Thread(target=lambda n=n: [cache.put(f"{n}-{i}", "v") for i in range(50)]) for n in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert cache.info().entries == 200


def test_a_connection_that_the_server_closed_is_opened_again(cache: PostgresReplyCache) -> None:
    cache.put("k", "v")
    PostgresReplyCache(cache._address)._run(
        lambda db: db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
        )
    )

    assert cache.get("k") == "v"


@pytest.mark.parametrize("reply", ["a\0b", "a\ud800b"])
def test_a_reply_that_postgres_cannot_store_is_not_cached(cache: PostgresReplyCache, reply: str) -> None:
    cache.put("k", reply)

    assert cache.get("k") is None
    assert cache._paused_until == float("-inf")


def test_an_unreachable_database_causes_one_warning_without_its_password(caplog: pytest.LogCaptureFixture) -> None:
    gone = open_cache(f"postgresql://me:hidden-word@127.0.0.1:{free_port()}/db")

    started = time.monotonic()
    with caplog.at_level(logging.WARNING):
        for number in range(100):
            gone.put(f"{number}", "v")

    assert gone.get("1") is None
    assert time.monotonic() - started < 15
    assert caplog.text.count("is unavailable") == 1
    assert "hidden-word" not in caplog.text


def test_an_address_of_something_else_is_refused_without_its_password() -> None:
    with pytest.raises(
        SettingsError, match=r"the reply cache cannot be in redis://host/0; use .*postgresql://"
    ) as refused:
        open_cache("redis://:hidden-word@host/0")

    assert "hidden-word" not in str(refused.value)
    assert without_credentials("postgresql://me:a@b@host:1/db?sslpassword=x") == "postgresql://host:1/db"


def test_a_setting_holds_no_password() -> None:
    with pytest.raises(ValueError, match="put the address in AUTOSR_CACHE") as refused:
        LlmSettings(cache_dir="postgresql://me:hidden-word@host/db")

    assert "hidden-word" not in str(refused.value)
    assert LlmSettings(cache_dir="postgresql://host/db").cache_dir == "postgresql://host/db"

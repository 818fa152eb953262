"""The pools of endpoints are known to Dagster before its run queue meets them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from autosr_assets.automation.pools import register_pools
from tests.assets.commands import Home, fresh_dagster_home


@dg.asset(pool="one")
def first() -> None:
    """Ask the endpoint `one`."""


@dg.asset(pool="two")
def second() -> None:
    """Ask the endpoint `two`."""


REPOSITORY = dg.Definitions([first, second, dg.asset(name="free")(lambda: None), dg.AssetSpec("outside")])


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    home = Home(tmp_path)
    shutil.copytree(fresh_dagster_home(), home.root / "dagster")
    with home.dagster() as instance:
        yield instance


def limits(instance: dg.DagsterInstance) -> dict[str, int]:
    return {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}


def test_every_pool_has_the_default_limit_and_one_that_somebody_gave_stays(instance: dg.DagsterInstance) -> None:
    instance.event_log_storage.set_concurrency_slots("two", 7)

    for _ in range(2):
        register_pools(instance, REPOSITORY.get_repository_def())

    assert limits(instance) == {"one": 1, "two": 7}


def test_where_dagster_counts_no_pools_there_is_nothing_to_make_known(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_pools(without_a_default := dg.DagsterInstance.ephemeral(), REPOSITORY.get_repository_def())
    monkeypatch.setattr(type(instance.event_log_storage), "supports_global_concurrency_limits", False)
    register_pools(instance, REPOSITORY.get_repository_def())

    assert (limits(without_a_default), limits(instance)) == ({}, {})

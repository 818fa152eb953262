"""Everything a run leaves behind has one place, wherever the command was started."""

from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.instance.config import PoolGranularity

from autosr_assets.runtime.home import cache_location, dagster_home, data_home, storage_root
from autosr_lib.errors import SettingsError


@pytest.fixture(autouse=True)
def _no_homes(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("AUTOSR_CACHE", "AUTOSR_HOME", "AUTOSR_STORAGE", "DAGSTER_HOME"):
        monkeypatch.setenv(variable, "")  # so that monkeypatch also undoes what dagster_home sets


def test_the_default_home_is_data_in_the_checkout_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert data_home().name == "data"
    assert (data_home().parent / "workspace.yaml").is_file()


def test_autosr_home_names_another_and_autosr_storage_a_bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUTOSR_HOME", str(tmp_path))
    assert storage_root() == str(tmp_path / "storage")

    monkeypatch.setenv("AUTOSR_STORAGE", "s3://bucket/autosr")
    assert storage_root() == "s3://bucket/autosr"


def test_a_home_in_a_bucket_holds_all_but_what_belongs_to_a_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AUTOSR_HOME", "s3://bucket/autosr")

    assert str(data_home() / "exports") == "s3://bucket/autosr/exports"
    assert storage_root() == "s3://bucket/autosr/storage"
    with pytest.raises(SettingsError, match=r"AUTOSR_HOME=s3://bucket/autosr; allowed: DAGSTER_HOME"):
        dagster_home()
    with pytest.raises(SettingsError, match=r"cache_dir 'cache' cannot lie.*AUTOSR_CACHE=postgresql://"):
        cache_location("cache")

    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    assert dagster_home() == tmp_path
    assert cache_location(str(tmp_path)) == str(tmp_path)


def test_replies_are_kept_at_home_unless_the_environment_says_where(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AUTOSR_HOME", str(tmp_path))
    assert cache_location("cache") == str(tmp_path / "cache")
    assert cache_location("postgresql://host/db") == "postgresql://host/db"

    monkeypatch.setenv("AUTOSR_CACHE", "postgresql://me:secret@host/db")
    assert cache_location("cache") == "postgresql://me:secret@host/db"


def test_dagsters_home_is_made_on_first_use_without_telemetry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUTOSR_HOME", str(tmp_path))

    config = dagster_home() / "dagster.yaml"

    assert yaml.safe_load(config.read_text())["telemetry"] == {"enabled": False}


def test_dagster_takes_what_first_use_writes_with_limits_of_the_queue_and_retries_of_crashes_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AUTOSR_HOME", str(tmp_path))
    dagster_home()

    with dg.DagsterInstance.get() as instance:
        limits = instance.get_concurrency_config()

        assert limits.pool_config.default_pool_limit == 1
        assert limits.pool_config.pool_granularity == PoolGranularity.RUN
        assert limits.run_queue_config is not None
        assert limits.run_queue_config.max_concurrent_runs == 4
        assert (instance.run_retries_max_retries, instance.run_retries_retry_on_asset_or_op_failure) == (2, False)


def test_a_dagster_yaml_that_is_there_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUTOSR_HOME", str(tmp_path))
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster" / "dagster.yaml").write_text("mine: true")

    assert (dagster_home() / "dagster.yaml").read_text() == "mine: true"


def test_a_dagster_home_of_the_users_own_is_used_and_not_configured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "own"))

    assert dagster_home() == tmp_path / "own"
    assert not (tmp_path / "own" / "dagster.yaml").exists()

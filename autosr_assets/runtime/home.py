"""Where runs read and write data, and Dagster's home.

`python -m autosr_assets.runtime.home` prepares Dagster's home and prints its path. `make ui` does more
(`cli/prepare_ui.py`).
"""

import os
from pathlib import Path

from upath import UPath

from autosr_lib.errors import SettingsError
from autosr_lib.storage.files import storage_path

CHECKOUT = Path(__file__).resolve().parents[2]
"""The project's folder; in an installed wheel, the folder of the packages."""

_DAGSTER_YAML = """\
# Written by autosr on first use; yours to change. See https://docs.dagster.io/deployment/oss/dagster-yaml
telemetry:
  enabled: false
nux:
  enabled: false  # a dialog over the first page that asks for an address
event_log_storage:
  # Dagster's SQLite event log, on the same files, but written many events at a time. Without these lines it is Dagster's
  # own again; for Postgres put `storage:` in their place.
  module: autosr_assets.event_log
  class: BatchedSqliteEventLog
concurrency:
  runs:
    max_concurrent_runs: 4  # one run keeps many requests under way already
    tag_concurrency_limits:
      - key: autosr/search  # two runs of one search would write the same tables
        value: {applyLimitPerUniqueValue: true}
        limit: 1
  pools:
    # Steps that ask models are in the pool of their endpoint: one run at a time, whose own limit is the endpoint's.
    default_limit: 1
    # By step, a run that is killed would keep its slot, and block every later run of the command line.
    granularity: run
run_retries:
  enabled: true
  max_retries: 2
  retry_on_asset_or_op_failure: false  # crashes only: prompts that fail are asked again by the next run
run_monitoring:
  enabled: true  # a run that never starts is given up
"""


def data_home() -> UPath:
    """Return the folder of everything that runs write: `AUTOSR_HOME`, else `data` in the checkout, else `./data`.

    `AUTOSR_HOME` is a folder, or an address such as `s3://bucket/autosr` that several machines share. The result does not
    depend on the folder a command is started in, so the command line, the web UI and a cron job use the same data.
    """
    if configured := os.environ.get("AUTOSR_HOME"):
        return storage_path(configured) if "://" in configured else UPath(Path(configured).expanduser().absolute())
    base = CHECKOUT if (CHECKOUT / "workspace.yaml").is_file() else Path.cwd()
    return UPath(base / "data")


def cache_location(cache_dir: str) -> str:
    """Return where cached replies lie: `AUTOSR_CACHE`, else the setting `cache_dir`, relative to the data home.

    The variable takes precedence, since its address may contain a password, which belongs in no settings file.

    Raises:
        SettingsError: the folder would lie in a bucket.
    """
    location = os.environ.get("AUTOSR_CACHE") or cache_dir
    if "://" in location or (folder := Path(location).expanduser()).is_absolute():
        return location
    return str(_local_home(f"cache_dir {location!r}", "AUTOSR_CACHE=postgresql://… or an absolute folder") / folder)


def storage_root() -> str:
    """Return the root of the tables: `AUTOSR_STORAGE` (a folder, or an address like `s3://…`), else `storage` at home."""
    return os.environ.get("AUTOSR_STORAGE") or str(data_home() / "storage")


def _local_home(what: str, allowed: str) -> Path:
    home = data_home()
    if isinstance(home, Path):
        return Path(home)
    raise SettingsError(f"{what} cannot lie in AUTOSR_HOME={home}; allowed: {allowed}")


def dagster_home() -> Path:
    """Return Dagster's home (`DAGSTER_HOME`, else `dagster` in the data home) and set `DAGSTER_HOME`.

    The folder is created if necessary, with a `dagster.yaml`. An existing `dagster.yaml` is never changed, nor is one
    written into a folder that `DAGSTER_HOME` names.

    Raises:
        SettingsError: `AUTOSR_HOME` is a bucket and `DAGSTER_HOME` is not set.
    """
    configured = os.environ.get("DAGSTER_HOME")
    if configured:
        home = Path(configured).expanduser().absolute()
    else:
        home = _local_home("Dagster's home", "DAGSTER_HOME, a folder of this machine") / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not configured and not config.exists():
        # Written atomically: another command may start at the same time.
        temporary = home / f".dagster.yaml.{os.getpid()}"
        temporary.write_text(_DAGSTER_YAML, encoding="utf-8")
        temporary.replace(config)
    os.environ["DAGSTER_HOME"] = str(home)
    return home


if __name__ == "__main__":
    print(dagster_home())  # noqa: T201 - a shell reads it

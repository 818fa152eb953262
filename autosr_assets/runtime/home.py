"""The locations of data and of Dagster's home.

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
# Written by autosr on first use and never overwritten. See https://docs.dagster.io/deployment/oss/dagster-yaml
telemetry:
  enabled: false
nux:
  enabled: false  # a dialog on the first page that asks for an e-mail address
event_log_storage:
  # Dagster's SQLite event log with the same files, but events are written in batches. Without these lines Dagster uses its
  # own class; for Postgres, replace them by `storage:`.
  module: autosr_assets.event_log
  class: BatchedSqliteEventLog
concurrency:
  runs:
    max_concurrent_runs: 4  # a single run already sends many concurrent requests
    tag_concurrency_limits:
      - key: autosr/search  # two runs of one search would write the same tables
        value: {applyLimitPerUniqueValue: true}
        limit: 1
  pools:
    # Steps that use models are in the pool of their endpoint. One run at a time uses it, with the limits in its settings.
    default_limit: 1
    # With granularity `op`, a killed run would keep its slot and block all later runs of the command line.
    granularity: run
run_retries:
  enabled: true
  max_retries: 2
  retry_on_asset_or_op_failure: false  # only crashes are retried; failed prompts are repeated by the next run
run_monitoring:
  enabled: true  # a run that does not start is marked as failed
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
    """Return the location of cached replies: `AUTOSR_CACHE`, else the setting `cache_dir`, relative to the data home.

    The variable takes precedence, since its address may contain a password, which must not be in a settings file.

    Raises:
        SettingsError: the folder would lie in a bucket.
    """
    location = os.environ.get("AUTOSR_CACHE") or cache_dir
    if "://" in location or (folder := Path(location).expanduser()).is_absolute():
        return location
    return str(_local_home(f"cache_dir {location!r}", "AUTOSR_CACHE=postgresql://… or an absolute folder") / folder)


def storage_root() -> str:
    """Return the root of the tables: `AUTOSR_STORAGE` (a folder or an address like `s3://…`), else `storage` in the data home."""
    return os.environ.get("AUTOSR_STORAGE") or str(data_home() / "storage")


def _local_home(what: str, allowed: str) -> Path:
    home = data_home()
    if isinstance(home, Path):
        return Path(home)
    raise SettingsError(f"{what} cannot lie in AUTOSR_HOME={home}; allowed: {allowed}")


def dagster_home() -> Path:
    """Return Dagster's home (`DAGSTER_HOME`, else `dagster` in the data home) and set `DAGSTER_HOME`.

    The folder is created if it does not exist. A `dagster.yaml` is written only if the folder is not set by `DAGSTER_HOME`
    and has none yet.

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

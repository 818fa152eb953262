"""Where runs leave what they make, and Dagster's own home.

`python -m autosr_assets.home` prints Dagster's home, made ready; `make ui` does more (`automation/start.py`).
"""

import os
from pathlib import Path

from upath import UPath

from autosr_lib.errors import SettingsError
from autosr_lib.storage.files import storage_path

CHECKOUT = Path(__file__).resolve().parent.parent
"""Where the project lies; in an installed wheel, the folder of packages."""

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

BATCH_VARIABLE, BATCH_SIZE = "DAGSTER_EVENT_BATCH_SIZE", "500"


def ask_for_batches() -> None:
    """Have Dagster hand events over in batches, in this process and those that it starts; a size that is set is kept.

    A storage without batches, as Dagster's own for SQLite, is handed them one by one as before.
    """
    os.environ.setdefault(BATCH_VARIABLE, BATCH_SIZE)


def data_home() -> UPath:
    """Return the place of everything a run makes: `AUTOSR_HOME`, else `data` of the checkout, else `./data`.

    `AUTOSR_HOME` is a folder, or an address such as `s3://bucket/autosr` where several machines meet. It does not depend
    on the folder a command is started in, so the command line, the web UI and a cron job meet.
    """
    if named := os.environ.get("AUTOSR_HOME"):
        return storage_path(named) if "://" in named else UPath(Path(named).expanduser().absolute())
    base = CHECKOUT if (CHECKOUT / "workspace.yaml").is_file() else Path.cwd()
    return UPath(base / "data")


def cache_place(named: str) -> str:
    """Return where replies are kept: `AUTOSR_CACHE`, else the setting `cache_dir`; a relative folder lies in the home.

    The variable comes first since its address may hold a password, which belongs into no setting.

    Raises:
        SettingsError: the folder would lie in a bucket.
    """
    told = os.environ.get("AUTOSR_CACHE") or named
    if "://" in told or (folder := Path(told).expanduser()).is_absolute():
        return told
    return str(_on_this_machine(f"cache_dir {told!r}", "AUTOSR_CACHE=postgresql://… or an absolute folder") / folder)


def storage_root() -> str:
    """Return the root of the tables: `AUTOSR_STORAGE`, a folder or an address like `s3://…`, else `storage` at home."""
    return os.environ.get("AUTOSR_STORAGE") or str(data_home() / "storage")


def _on_this_machine(what: str, allowed: str) -> Path:
    home = data_home()
    if isinstance(home, Path):
        return Path(home)
    raise SettingsError(f"{what} has no place in AUTOSR_HOME={home}; allowed: {allowed}")


def dagster_home() -> Path:
    """Return Dagster's home, `DAGSTER_HOME` or `dagster` at home, and tell Dagster.

    On first use the folder is made and given a `dagster.yaml`; one that is there is left alone.

    Raises:
        SettingsError: `AUTOSR_HOME` is a bucket and `DAGSTER_HOME` is not set.
    """
    named = os.environ.get("DAGSTER_HOME")
    if named:
        home = Path(named).expanduser().absolute()
    else:
        home = _on_this_machine("Dagster's own home", "DAGSTER_HOME, a folder of this machine") / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not named and not config.exists():
        # Whole or not at all: another command may start at the same time.
        temporary = home / f".dagster.yaml.{os.getpid()}"
        temporary.write_text(_DAGSTER_YAML, encoding="utf-8")
        temporary.replace(config)
    os.environ["DAGSTER_HOME"] = str(home)
    return home


if __name__ == "__main__":
    print(dagster_home())  # noqa: T201 - a shell reads it

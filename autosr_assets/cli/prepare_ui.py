"""The first step of `make ui`: `python -m autosr_assets.cli.prepare_ui` prepares Dagster's home and prints its path."""

from autosr_assets.automation.dead_runs import mark_dead_runs
from autosr_assets.automation.pools import register_pools
from autosr_assets.runtime.home import dagster_home
from autosr_assets.runtime.instance import open_instance

if __name__ == "__main__":
    with open_instance() as instance:
        print(dagster_home(), flush=True)  # noqa: T201 - read by the shell of `make ui`
        mark_dead_runs(instance)
        # Imported last, so that the web UI starts and shows the error if a YAML file is invalid.
        from autosr_assets.definitions import defs

        register_pools(instance, defs().get_repository_def())

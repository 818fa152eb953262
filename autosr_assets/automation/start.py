"""What `make ui` begins with: `python -m autosr_assets.automation.start` readies Dagster's home and prints it."""

from autosr_assets.automation.dead_runs import mark_dead_runs
from autosr_assets.automation.pools import make_pools_known
from autosr_assets.runtime.home import dagster_home
from autosr_assets.runtime.instance import open_instance

if __name__ == "__main__":
    with open_instance() as instance:
        print(dagster_home(), flush=True)  # noqa: T201 - a shell reads it
        mark_dead_runs(instance)
        from autosr_assets.definitions import defs  # last: YAML that does not load is for Dagster to show

        make_pools_known(instance, defs().get_repository_def())

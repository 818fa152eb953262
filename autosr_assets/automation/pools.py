"""The pool of an endpoint: it keeps two runs from asking at once."""

import re
from urllib.parse import urlsplit

import dagster as dg

from autosr_lib.settings import BackendName, BackendSettings


def endpoint_pool(settings: BackendSettings) -> str | None:
    """Return the pool of the endpoint that these settings may ask, or None where only heuristics answer.

    `dagster.yaml` gives each pool one run at a time, so that the limits of a run are the limits of the endpoint.
    """
    if settings.backend in (BackendName.HEURISTIC, BackendName.MOCK):
        return None
    place = urlsplit(settings.llm.base_url)
    return "endpoint_" + re.sub(r"[^A-Za-z0-9]+", "_", f"{place.netloc}{place.path}").strip("_")


def make_pools_known(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition) -> None:
    """Give the pools of all assets the default limit, where they have none yet.

    Dagster's run queue does so by itself, but counts a pool only from its next look on (1.13): the first two runs over a new
    endpoint would overlap. A limit that somebody gave stays; Dagster would put its default in the place of it.
    """
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits or instance.global_op_concurrency_default_limit is None:
        return
    steps = [assets.node_def for assets in repository.assets_defs_by_key.values() if assets.is_executable]
    pools = {pool for step in steps for pool in step.pools}
    for pool in sorted(pools - storage.get_concurrency_keys()):
        storage.initialize_concurrency_limit_to_default(pool)

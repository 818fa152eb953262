"""The concurrency pool of an endpoint: it keeps two runs from using the endpoint at the same time."""

import re
from urllib.parse import urlsplit

import dagster as dg

from autosr_lib.settings import BackendName, BackendSettings


def endpoint_pool(settings: BackendSettings) -> str | None:
    """Return the pool of the endpoint that these settings may use, or None if no model is ever asked.

    `dagster.yaml` allows each pool one run at a time, so that the limits of a run are the limits of the endpoint.

    >>> endpoint_pool(BackendSettings(backend="llm", llm={"base_url": "https://example.com/v1"}))
    'endpoint_example_com_v1'
    """
    if settings.backend in (BackendName.HEURISTIC, BackendName.MOCK):
        return None
    address = urlsplit(settings.llm.base_url)
    return "endpoint_" + re.sub(r"[^A-Za-z0-9]+", "_", f"{address.netloc}{address.path}").strip("_")


def register_pools(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition) -> None:
    """Give the pools of all assets the default limit, if they have no limit yet.

    Dagster's run queue registers pools itself, but enforces a limit only from its next iteration on (1.13): the first two
    runs over a new endpoint would overlap. Limits that a user has set stay; Dagster's method would overwrite them.
    """
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits or instance.global_op_concurrency_default_limit is None:
        return
    steps = [assets.node_def for assets in repository.assets_defs_by_key.values() if assets.is_executable]
    pools = {pool for step in steps for pool in step.pools}
    for pool in sorted(pools - storage.get_concurrency_keys()):
        storage.initialize_concurrency_limit_to_default(pool)

"""The concurrency pool of an endpoint, which prevents two runs from using the endpoint at the same time."""

import re
from urllib.parse import urlsplit

import dagster as dg

from autosr_lib.settings import BackendName, BackendSettings


def endpoint_pool(settings: BackendSettings) -> str | None:
    """Return the pool of the endpoint that these settings may use, or None if they never use a model.

    `dagster.yaml` allows one run per pool at a time, so the request limits of a run are also the limits of its endpoint.

    >>> endpoint_pool(BackendSettings(backend="llm", llm={"base_url": "https://example.com/v1"}))
    'endpoint_example_com_v1'
    """
    if settings.backend in (BackendName.HEURISTIC, BackendName.MOCK):
        return None
    address = urlsplit(settings.llm.base_url)
    return "endpoint_" + re.sub(r"[^A-Za-z0-9]+", "_", f"{address.netloc}{address.path}").strip("_")


def register_pools(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition) -> None:
    """Set the default limit for the pools of all assets that have no limit yet.

    Dagster's run queue registers pools too, but enforces the limit of a new pool only from its next iteration on (1.13), so
    the first two runs over a new endpoint would overlap. Limits that a user has set are kept.
    """
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits or instance.global_op_concurrency_default_limit is None:
        return
    steps = [assets.node_def for assets in repository.assets_defs_by_key.values() if assets.is_executable]
    pools = {pool for step in steps for pool in step.pools}
    for pool in sorted(pools - storage.get_concurrency_keys()):
        storage.initialize_concurrency_limit_to_default(pool)

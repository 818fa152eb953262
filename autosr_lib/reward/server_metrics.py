"""Prometheus metrics of the server."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from starlette.types import Scope

from autosr_lib.llm.call_records import RoleTotals
from autosr_lib.llm.endpoint.client import ModelClient
from autosr_lib.llm.settings import Role
from autosr_lib.reward.rubrics import Rubrics
from autosr_lib.reward.scored import Scored

PATHS = frozenset({"/score", "/batch_score", "/rubrics", "/healthz", "/metrics"})
"""Paths with their own label. All others share one label, so that requests to made-up paths cannot fill the memory."""
SECONDS_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)


class ServerMetrics:
    """Counts requests and scores; its labels contain no text and no prompt id."""

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, rubrics: Rubrics) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter("autosr_requests", "Requests replied to.", ["path", "status"], registry=self._registry)
        self._seconds = Histogram(
            "autosr_request_seconds",
            "Seconds from request to reply.",
            ["path"],
            buckets=SECONDS_BUCKETS,
            registry=self._registry,
        )
        self._in_flight = Gauge("autosr_in_flight", "Scoring requests that are running.", registry=self._registry)
        self._responses = Counter(
            "autosr_responses", "Graded responses, scored or unscored.", ["outcome"], registry=self._registry
        )
        self._ungraded = Counter(
            "autosr_ungraded_weight",
            "Sum over responses of the ungraded share of the rubric's weight.",
            registry=self._registry,
        )
        if rubrics.client is not None:
            self._registry.register(_ModelCalls(rubrics.client))

    def text(self) -> bytes:
        """Return the metrics in the Prometheus text format."""
        return generate_latest(self._registry)

    def count_response(self, scored: Scored) -> None:
        """Count one graded response."""
        self._responses.labels("unscored" if scored.score is None else "scored").inc()
        self._ungraded.inc(scored.ungraded)

    def count_request(self, scope: Scope, status: int, seconds: float) -> None:
        """Count one request that got a reply."""
        path = scope["path"] if scope["path"] in PATHS else "other"
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    @contextmanager
    def in_flight(self, *, is_scoring: bool) -> Iterator[None]:
        """Count a scoring request while it is running; other requests are not counted."""
        self._in_flight.inc(int(is_scoring))
        try:
            yield
        finally:
            self._in_flight.dec(int(is_scoring))


class _ModelCalls(Collector):
    """Collects the verifier's calls, requests, tokens and cost from the client."""

    def __init__(self, client: ModelClient) -> None:
        self._client = client

    def collect(self) -> Iterable[Metric]:
        """Yield the sums since the server started."""
        totals = self._client.calls.totals.get(Role.VERIFIER, RoleTotals())  # missing before the first call
        sums = {
            "calls": ("Calls of the verifier, including those answered from the cache.", totals.calls),
            "calls_cached": ("Calls answered from the cache.", totals.cached),
            "calls_failed": ("Calls without a readable reply.", totals.failed),
            "requests_sent": ("Requests sent to the endpoint, including retries.", totals.requests),
            "prompt_tokens": ("Prompt tokens.", totals.prompt_tokens),
            "completion_tokens": ("Completion tokens.", totals.completion_tokens),
            "dollars": ("Cost in US dollars, for models with a price.", totals.cost),
        }
        for name, (description, value) in sums.items():
            yield CounterMetricFamily(f"autosr_model_{name}", description, value=value)

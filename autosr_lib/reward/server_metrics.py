"""The server's figures, for Prometheus."""

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
"""Paths that are counted by name; what a stranger makes up is one more, so that it cannot fill the memory."""
SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)


class Metrics:
    """Counts requests and scores; no text and no prompt is among its labels."""

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, rubrics: Rubrics) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter("autosr_requests", "Requests answered.", ["path", "status"], registry=self._registry)
        self._seconds = Histogram(
            "autosr_request_seconds", "Time to an answer.", ["path"], buckets=SECONDS, registry=self._registry
        )
        self._in_flight = Gauge("autosr_in_flight", "Requests for scores under way.", registry=self._registry)
        self._responses = Counter(
            "autosr_responses", "Responses graded: scored, or unscored.", ["outcome"], registry=self._registry
        )
        self._ungraded = Counter(
            "autosr_ungraded_weight", "Sum of the shares of rubrics that stayed ungraded.", registry=self._registry
        )
        if rubrics.client is not None:
            self._registry.register(_ModelCalls(rubrics.client))

    def text(self) -> bytes:
        """Return the figures as Prometheus reads them."""
        return generate_latest(self._registry)

    def count(self, scored: Scored) -> None:
        """Count one response that was graded."""
        self._responses.labels("unscored" if scored.score is None else "scored").inc()
        self._ungraded.inc(scored.ungraded)

    def request(self, scope: Scope, status: int, seconds: float) -> None:
        """Count one request that was answered."""
        path = scope["path"] if scope["path"] in PATHS else "other"
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    @contextmanager
    def in_flight(self, *, is_counted: bool) -> Iterator[None]:
        """Count a request for scores while it is under way."""
        self._in_flight.inc(int(is_counted))
        try:
            yield
        finally:
            self._in_flight.dec(int(is_counted))


class _ModelCalls(Collector):
    """Reads off the client what the verifier has cost."""

    def __init__(self, client: ModelClient) -> None:
        self._client = client

    def collect(self) -> Iterable[Metric]:
        """Yield the sums since the server's start."""
        totals = self._client.calls.totals.get(Role.VERIFIER, RoleTotals())  # nobody has asked yet
        sums = {
            "calls": ("Calls of the verifier, those answered by kept replies too.", totals.calls),
            "calls_cached": ("Calls answered by kept replies.", totals.cached),
            "calls_failed": ("Calls without a reply that could be read.", totals.failed),
            "requests_sent": ("Requests sent to the endpoint, retries too.", totals.requests),
            "prompt_tokens": ("Tokens sent.", totals.prompt_tokens),
            "completion_tokens": ("Tokens answered.", totals.completion_tokens),
            "dollars": ("US dollars, where a price is known.", totals.cost),
        }
        for name, (says, value) in sums.items():
            yield CounterMetricFamily(f"autosr_model_{name}", says, value=value)

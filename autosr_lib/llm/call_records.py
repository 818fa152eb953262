"""Records of calls: one row per call, kept in memory until the caller takes them, and sums by role."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

import pyarrow as pa

from autosr_lib.llm.settings import Role


class CallOutcome(StrEnum):
    """How a call ended."""

    GOOD = "good"
    PARTIAL = "partial"
    BAD_REPLY = "bad_reply"
    NO_REPLY = "no_reply"
    ENDPOINT = "endpoint"
    BUDGET = "budget"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class CallRecord:
    """One call of a role: all its requests, including retries and the repetition after a bad reply."""

    role: Role
    prompt_id: str
    model: str
    index: int
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    latency: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    cached: bool = False
    requests: int = 0
    retries: int = 0
    asked_again: bool = False
    outcome: CallOutcome = CallOutcome.CANCELLED

    def add_usage(self, prompt_tokens: int, completion_tokens: int, cost: float) -> None:
        """Add the usage of one request."""
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens
        self.cost += cost


def _field(name: str, arrow_type: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, arrow_type, nullable=False, metadata={"description": description})


CALLS_SCHEMA = pa.schema(
    [
        _field("role", pa.string(), "initializer, proposer, verifier, judge or responder"),
        _field("prompt_id", pa.string(), "prompt of the call; never shown to the model"),
        _field("model", pa.string(), "model called"),
        _field("index", pa.int32(), "vote of the verifier, attempt of the proposer, sample of the responder, else 0"),
        _field("at", pa.timestamp("us", tz="UTC"), "start of the call"),
        _field("latency", pa.float64(), "seconds from start to end, including waits"),
        _field("prompt_tokens", pa.int64(), "prompt tokens of all requests; 0 if cached"),
        _field("completion_tokens", pa.int64(), "completion tokens of all requests; 0 if cached"),
        _field("cost", pa.float64(), "US dollars"),
        _field("cached", pa.bool_(), "whether the reply came from the cache"),
        _field("requests", pa.int32(), "HTTP requests sent"),
        _field("retries", pa.int32(), "HTTP requests sent again after a transient failure"),
        _field("asked_again", pa.bool_(), "whether the request was repeated with the fault of a bad reply"),
        _field("outcome", pa.string(), "good, partial, bad_reply, no_reply, endpoint, budget or cancelled"),
    ],
    metadata={"schema_version": "1"},
)


@dataclass
class RoleTotals:
    """Sums over the calls of one role; `cost` is in US dollars."""

    calls: int = 0
    cached: int = 0
    requests: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0

    def add(self, record: CallRecord) -> None:
        """Add one call."""
        self.calls += 1
        self.cached += record.cached
        self.requests += record.requests
        self.failed += record.outcome not in (CallOutcome.GOOD, CallOutcome.PARTIAL)
        self.prompt_tokens += record.prompt_tokens
        self.completion_tokens += record.completion_tokens
        self.cost += record.cost


class CallLog:
    """The calls since the last `drain`, and the totals of the run by role.

    >>> log = CallLog()
    >>> log.add(CallRecord(Role.JUDGE, "p1", "small", 0, requests=2, retries=1))
    >>> [record.prompt_id for record in log.drain()], log.drain(), log.totals[Role.JUDGE].requests
    (['p1'], [], 2)
    """

    def __init__(self) -> None:
        self._records: list[CallRecord] = []
        self._totals: dict[Role, RoleTotals] = {}

    def add(self, record: CallRecord) -> None:
        """Add one call."""
        self._records.append(record)
        self._totals.setdefault(record.role, RoleTotals()).add(record)

    @property
    def totals(self) -> Mapping[Role, RoleTotals]:
        """Return the totals of the run for each role that made a call; `drain` does not reset them."""
        return self._totals

    def drain(self) -> list[CallRecord]:
        """Return the calls since the last `drain` and remove them from the log."""
        records, self._records = self._records, []
        return records


def calls_table(records: Iterable[CallRecord]) -> pa.Table:
    """Return the calls as a table with `CALLS_SCHEMA`."""
    return pa.Table.from_pylist([asdict(record) for record in records], schema=CALLS_SCHEMA)

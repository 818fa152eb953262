"""The record of calls: a row for each, kept in memory until whoever runs takes them."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

import pyarrow as pa

from autosr_lib.llm.settings import Role


class Outcome(StrEnum):
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
    """One call of a role: all its tries, and the second asking after a bad reply."""

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
    outcome: Outcome = Outcome.CANCELLED

    def count(self, prompt_tokens: int, completion_tokens: int, cost: float) -> None:
        """Add what one request has used."""
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens
        self.cost += cost


def _field(name: str, kind: pa.DataType, says: str) -> pa.Field:
    return pa.field(name, kind, nullable=False, metadata={"description": says})


CALLS_SCHEMA = pa.schema(
    [
        _field("role", pa.string(), "initializer, proposer, verifier, judge or responder"),
        _field("prompt_id", pa.string(), "prompt that the call was for; never shown to the model"),
        _field("model", pa.string(), "model asked"),
        _field("index", pa.int32(), "vote of the verifier, attempt of the proposer, sample of the responder, else 0"),
        _field("at", pa.timestamp("us", tz="UTC"), "when the call began"),
        _field("latency", pa.float64(), "seconds from the beginning to the end, waits included"),
        _field("prompt_tokens", pa.int64(), "tokens sent, all tries; 0 from the cache"),
        _field("completion_tokens", pa.int64(), "tokens of the replies, all tries; 0 from the cache"),
        _field("cost", pa.float64(), "US dollars"),
        _field("cached", pa.bool_(), "whether the reply came from the cache"),
        _field("requests", pa.int32(), "HTTP requests sent"),
        _field("retries", pa.int32(), "HTTP requests sent again after a passing fault"),
        _field("asked_again", pa.bool_(), "whether a bad reply was asked again with its fault named"),
        _field("outcome", pa.string(), "good, partial, bad_reply, no_reply, endpoint, budget or cancelled"),
    ],
    metadata={"schema_version": "1"},
)


@dataclass
class RoleTotals:
    """Sums over the calls of one role."""

    calls: int = 0
    cached: int = 0
    requests: int = 0
    retries: int = 0
    asked_again: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    latency: float = 0.0

    def add(self, record: CallRecord) -> None:
        """Count one call."""
        self.calls += 1
        self.cached += record.cached
        self.requests += record.requests
        self.retries += record.retries
        self.asked_again += record.asked_again
        self.failed += record.outcome not in (Outcome.GOOD, Outcome.PARTIAL)
        self.prompt_tokens += record.prompt_tokens
        self.completion_tokens += record.completion_tokens
        self.cost += record.cost
        self.latency += record.latency


class CallLog:
    """The calls since they were last taken, and sums over all of the run."""

    def __init__(self) -> None:
        self._rows: list[CallRecord] = []
        self._totals: dict[Role, RoleTotals] = {}

    def add(self, record: CallRecord) -> None:
        """Keep one call."""
        self._rows.append(record)
        self._totals.setdefault(record.role, RoleTotals()).add(record)

    @property
    def totals(self) -> Mapping[Role, RoleTotals]:
        """Return the sums of the whole run, for the roles that were asked; taking the rows leaves them as they are."""
        return self._totals

    def drain(self) -> list[CallRecord]:
        """Return the calls since the last time, and forget them."""
        rows, self._rows = self._rows, []
        return rows


def sums_by_role(rows: Iterable[CallRecord]) -> dict[Role, RoleTotals]:
    """Return the sums of these calls, for the roles that were asked."""
    sums: dict[Role, RoleTotals] = {}
    for row in rows:
        sums.setdefault(row.role, RoleTotals()).add(row)
    return sums


def calls_table(rows: Iterable[CallRecord]) -> pa.Table:
    """Return the calls as a table of `CALLS_SCHEMA`."""
    return pa.Table.from_pylist([asdict(row) for row in rows], schema=CALLS_SCHEMA)

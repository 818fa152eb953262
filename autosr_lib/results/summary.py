"""The summary of a search from one pass over its best rubrics: totals, findings, results, and the report's rows."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from autosr_lib.domain.fingerprint import fingerprint
from autosr_lib.results.findings import Findings
from autosr_lib.results.histories import Histories
from autosr_lib.results.totals import Totals
from autosr_lib.storage.tables.best_rubrics import BestRubricRow, StoredBest
from autosr_lib.storage.tables.columns import Status
from autosr_lib.storage.tables.run_results import PromptResult

DETAILED_PROMPTS = 100
"""Number of prompts whose complete rows are kept for the report: those whose objective changed most."""


class PromptLine(NamedTuple):
    """One prompt in the report's table of all prompts."""

    prompt_id: str
    status: Status
    figures: "LineFigures | None"
    """None where the prompt failed."""


class LineFigures(NamedTuple):
    """The figures of a prompt that has a rubric."""

    initial: float
    """Objective of the first rubric."""
    best: float
    """Objective of the best rubric."""
    criteria: int
    calls: int
    best_candidate_id: str


@dataclass
class SearchSummary:
    """All that is computed from one pass over the best rubrics of a search, a few hundred bytes per prompt."""

    totals: Totals = field(default_factory=Totals)
    findings: Findings = field(default_factory=Findings)
    results: list[PromptResult] = field(default_factory=list)
    histories: Histories = field(default_factory=Histories)
    lines: list[PromptLine] = field(default_factory=list)
    """One per prompt, in the order of the dataset."""
    _inputs: list[tuple[str, str, str | None]] = field(default_factory=list)
    _detailed: list[tuple[float, int, BestRubricRow]] = field(default_factory=list)

    def add(self, row: StoredBest) -> None:
        """Add the row of one prompt."""
        self.totals.add(row)
        self.findings.add(row)
        self._inputs.append((row.prompt_id, row.status, row.input_fingerprint))
        if not isinstance(row, BestRubricRow):
            self.results.append(PromptResult(row.prompt_id, row.status, None))
            self.lines.append(PromptLine(row.prompt_id, row.status, None))
            return
        self.results.append(row.result)
        self.histories.add(row)
        change = abs(row.best.objective - row.initial.objective)
        heapq.heappush(self._detailed, (change, -len(self.lines), row))
        if len(self._detailed) > DETAILED_PROMPTS:
            heapq.heappop(self._detailed)
        figures = LineFigures(
            row.initial.objective, row.best.objective, len(row.rubric), row.calls.total, row.best_candidate_id
        )
        self.lines.append(PromptLine(row.prompt_id, row.status, figures))

    @property
    def content_fingerprint(self) -> str:
        """Return a hash of the status and input fingerprint of every row; another hash means another export."""
        return fingerprint(self._inputs)

    @property
    def detailed(self) -> list[BestRubricRow]:
        """Return the rows of the prompts whose objective changed most, in the order of the dataset."""
        return [row for _, _, row in sorted(self._detailed, key=lambda entry: -entry[1])]

    @property
    def incomplete(self) -> list[str]:
        """Return the prompts whose search is incomplete."""
        return [line.prompt_id for line in self.lines if line.status == Status.INCOMPLETE]


def summarise(rows: Iterable[StoredBest]) -> SearchSummary:
    """Return the summary of a search.

    >>> from autosr_lib.storage.tables.columns import UnsuccessfulRow
    >>> summarise([UnsuccessfulRow("p1", Status.FAILED, "no reply", None)]).totals.failed
    {'p1': 'no reply'}
    """
    summary = SearchSummary()
    for row in rows:
        summary.add(row)
    return summary

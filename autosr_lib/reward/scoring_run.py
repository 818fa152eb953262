"""Scoring a file of responses: finished responses are stored at once and are not graded again."""

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autosr_lib.domain.fingerprint import fingerprint
from autosr_lib.errors import AutosrError, BudgetExhausted, DatasetError, EndpointError
from autosr_lib.llm.settings import Role
from autosr_lib.reward.responses import NOT_SCORED, Row, added_columns, read_scored, write_scored
from autosr_lib.reward.rubrics import MAX_RESPONSES_IN_FLIGHT, Rubrics

JOURNAL_SUFFIX = ".journal.jsonl"


@dataclass
class ScoringOutcome:
    """Counts of a scoring run."""

    rows: int
    graded: int = 0
    """Distinct responses that this run graded."""
    reused: int = 0
    """Distinct responses that an earlier run had graded."""
    unscored: int = 0
    """Rows that were graded and have no score."""
    not_graded: int = 0
    """Rows that were not graded because the run stopped early."""
    skipped: int = 0
    """Rows whose prompt has no rubric."""
    stopped_by: AutosrError | None = None
    """The error that stopped the run early."""


@dataclass
class ScoringRun:
    """One run over the rows of a file.

    Finished responses are appended to a journal beside the output, so that a killed run loses none of them.
    """

    rubrics: Rubrics
    rows: list[Row]
    output: Path
    on_done: Callable[[], None] = lambda: None
    """Called after each distinct response."""
    skip_unknown: bool = False
    """Whether rows whose prompt has no rubric are skipped; otherwise they are an error."""
    _results: dict[str, Row] = field(default_factory=dict)
    """The added columns of each graded response, by key."""

    @property
    def journal(self) -> Path:
        """Return the file that holds finished responses until the output is written."""
        return self.output.with_name(self.output.name + JOURNAL_SUFFIX)

    def run(self) -> ScoringOutcome:
        """Score the responses that no earlier run scored, write the output and return the counts.

        Raises:
            DatasetError: rows name prompts without a rubric.
            StorageError: the output cannot be written.
        """
        prompt_ids = {row["prompt_id"] for row in self.rows}
        without_rubric = sorted(prompt_ids - self.rubrics.export.entries.keys())
        if without_rubric and not self.skip_unknown:
            faults = [f"has no rubric for prompt_id {prompt_id!r:.80}" for prompt_id in without_rubric]
            raise DatasetError(self.rubrics.export.path, faults)
        protocols = {prompt_id: self._protocol(prompt_id) for prompt_id in prompt_ids - set(without_rubric)}
        # Keyed by content, so that equal responses are graded once.
        responses = {
            _response_key(row, protocols[row["prompt_id"]]): row for row in self.rows if row["prompt_id"] in protocols
        }
        self._results = self._earlier_results(responses)
        outcome = ScoringOutcome(len(self.rows), reused=len(self._results))
        pending = [(key, row) for key, row in responses.items() if key not in self._results]
        for _ in self._results:
            self.on_done()
        if pending:
            outcome.stopped_by = asyncio.run(self._score(pending, protocols))
        outcome.graded = len(self._results) - outcome.reused
        self._write(protocols, outcome)
        return outcome

    def _protocol(self, prompt_id: str) -> str:
        """Return the fingerprint of everything that decides a score, except the response (column `scored_by`)."""
        rubrics, entry = self.rubrics, self.rubrics.entry(prompt_id)
        llm = rubrics.backend.llm
        return fingerprint(
            entry.prompt,
            rubrics.rubric(prompt_id).model_dump(mode="json"),
            rubrics.votes,
            rubrics.grading.model_dump(mode="json"),
            str(rubrics.export.backend),
            rubrics.export.verifier_template,
            [llm.base_url, llm.model_for(Role.VERIFIER), llm.settings_for(Role.VERIFIER).model_dump(mode="json")],
            llm.extraction.model_dump(mode="json"),
        )

    def _earlier_results(self, responses: dict[str, Row]) -> dict[str, Row]:
        """Return the results of earlier runs, by key; responses with an ungraded criterion are graded again."""
        results: dict[str, Row] = {}
        for row in [*read_scored(self.output), *_read_journal(self.journal)]:
            if not row.get("scored_by") or row.get("score") in (None, "") or float(row.get("ungraded") or 0) > 0:
                continue
            key = row.get("key") or _response_key(row, row["scored_by"])
            if key in responses:
                grades = row["grades"]
                results[key] = {
                    "score": float(row["score"]),
                    "ungraded": float(row["ungraded"]),
                    "grades": json.loads(grades) if isinstance(grades, str) else grades,
                    "scored_by": row["scored_by"],
                }
        return results

    async def _score(self, pending: list[tuple[str, Row]], protocols: dict[str, str]) -> AutosrError | None:
        """Score the pending responses with a fixed number of workers; return the error that stopped them early."""
        queue, errors = iter(pending), list[AutosrError]()
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        with self.journal.open("a", encoding="utf-8") as journal:
            journal.write("\n")  # a killed run may have left an incomplete line

            async def work() -> None:
                for key, row in queue:
                    try:
                        scored = await self.rubrics.score(row["prompt_id"], row["response"])
                    except (BudgetExhausted, EndpointError) as error:
                        errors.append(error)
                    if errors:
                        return
                    added = added_columns(scored, protocols[row["prompt_id"]])
                    journal.write(json.dumps({"key": key, **added}, ensure_ascii=False) + "\n")
                    journal.flush()
                    self._results[key] = added
                    self.on_done()

            async with self.rubrics:
                await asyncio.gather(*(work() for _ in range(min(MAX_RESPONSES_IN_FLIGHT, len(pending)))))
        return errors[0] if errors else None

    def _write(self, protocols: dict[str, str], outcome: ScoringOutcome) -> None:
        """Write all rows with the added columns, and count what the rows have."""
        written = []
        for row in self.rows:
            prompt_id = row["prompt_id"]
            has_rubric = prompt_id in protocols
            added = self._results.get(_response_key(row, protocols[prompt_id])) if has_rubric else None
            outcome.skipped += not has_rubric
            outcome.not_graded += has_rubric and added is None
            outcome.unscored += added is not None and added["score"] is None
            written.append({**row, **(added or NOT_SCORED)})
        write_scored(self.output, written)
        self.journal.unlink(missing_ok=True)


def _response_key(row: Row, scored_by: str) -> str:
    return fingerprint(row.get("prompt_id"), row.get("response"), scored_by)


def _read_journal(path: Path) -> Iterable[dict[str, Any]]:
    """Yield the results that a killed run stored; incomplete lines are ignored."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").split("\n"):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row

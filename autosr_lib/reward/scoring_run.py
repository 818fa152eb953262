"""Scoring a file of responses: what is done is kept at once and not asked again."""

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
from autosr_lib.reward.rubrics import GRADED_AT_ONCE, Rubrics

JOURNAL = ".journal.jsonl"


@dataclass
class Outcome:
    """What became of a file."""

    rows: int
    asked: int = 0
    """Responses that were graded by this run; equal ones count once."""
    known: int = 0
    """Responses that an earlier run had graded."""
    unscored: int = 0
    """Rows without a score though they were asked."""
    left: int = 0
    """Rows that were not asked."""
    skipped: int = 0
    """Rows whose prompt has no rubric."""
    ended_by: AutosrError | None = None
    """What ended the run before its time."""


@dataclass
class ScoringRun:
    """One run over the rows of a file."""

    rubrics: Rubrics
    rows: list[Row]
    output: Path
    on_done: Callable[[], None] = lambda: None
    skip_unknown: bool = False
    _known: dict[str, Row] = field(default_factory=dict)

    @property
    def journal(self) -> Path:
        """Return where what is done lies until the output is written."""
        return self.output.with_name(self.output.name + JOURNAL)

    def run(self) -> Outcome:
        """Score what is not scored yet, write the output and return what became of it.

        Raises:
            DatasetError: rows name prompts without a rubric.
            StorageError: the output cannot be written.
        """
        names = {row["prompt_id"] for row in self.rows}
        unknown = [name for name in sorted(names) if name not in self.rubrics.exported.entries]
        if unknown and not self.skip_unknown:
            raise DatasetError(
                self.rubrics.exported.where, [f"has no rubric for prompt_id {name!r:.80}" for name in unknown]
            )
        scored_by = {name: self._scored_by(name) for name in names - set(unknown)}
        wanted = {
            _key(row, scored_by[row["prompt_id"]]): row for row in self.rows if row["prompt_id"] in scored_by
        }  # equal responses are one
        self._known = self._before(wanted)
        outcome = Outcome(len(self.rows), known=len(self._known))
        todo = [(key, row) for key, row in wanted.items() if key not in self._known]
        for _ in self._known:
            self.on_done()
        if todo:
            outcome.ended_by = asyncio.run(self._score(todo, scored_by))
        outcome.asked = len(self._known) - outcome.known
        self._write(scored_by, outcome)
        return outcome

    def _scored_by(self, prompt_id: str) -> str:
        """Return the name of all that decides a score, but the response."""
        rubrics, entry = self.rubrics, self.rubrics.entry(prompt_id)
        llm = rubrics.backend.llm
        return fingerprint(
            entry.prompt,
            rubrics.rubric(prompt_id).model_dump(mode="json"),
            rubrics.votes,
            rubrics.grading.model_dump(mode="json"),
            str(rubrics.exported.backend),
            rubrics.exported.verifier_template,
            [llm.base_url, llm.model_for(Role.VERIFIER), llm.settings_for(Role.VERIFIER).model_dump(mode="json")],
            llm.extraction.model_dump(mode="json"),
        )  # fmt: skip

    def _before(self, wanted: dict[str, Row]) -> dict[str, Row]:
        """Return what earlier runs have found, by key; what has something ungraded is asked again."""
        found: dict[str, Row] = {}
        for row in [*read_scored(self.output), *_lines(self.journal)]:
            if not row.get("scored_by") or row.get("score") in (None, "") or float(row.get("ungraded") or 0) > 0:
                continue
            key = row.get("key") or _key(row, row["scored_by"])
            if key in wanted:
                grades = row["grades"]
                found[key] = {
                    "score": float(row["score"]),
                    "ungraded": float(row["ungraded"]),
                    "grades": json.loads(grades) if isinstance(grades, str) else grades,
                    "scored_by": row["scored_by"],
                }
        return found

    async def _score(self, todo: list[tuple[str, Row]], scored_by: dict[str, str]) -> AutosrError | None:
        """Score by a fixed number of workers; return what ended them before the list was through."""
        left, ended = iter(todo), list[AutosrError]()
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        with self.journal.open("a", encoding="utf-8") as journal:
            journal.write("\n")  # a run that was killed may have left half a line

            async def work() -> None:
                for key, row in left:
                    try:
                        scored = await self.rubrics.score(row["prompt_id"], row["response"])
                    except (BudgetExhausted, EndpointError) as error:
                        ended.append(error)
                    if ended:
                        return
                    added = added_columns(scored, scored_by[row["prompt_id"]])
                    journal.write(json.dumps({"key": key, **added}, ensure_ascii=False) + "\n")
                    journal.flush()
                    self._known[key] = added
                    self.on_done()

            async with self.rubrics:
                await asyncio.gather(*(work() for _ in range(min(GRADED_AT_ONCE, len(todo)))))
        return ended[0] if ended else None

    def _write(self, scored_by: dict[str, str], outcome: Outcome) -> None:
        written = []
        for row in self.rows:
            name = row["prompt_id"]
            added = self._known.get(_key(row, scored_by[name])) if name in scored_by else None
            outcome.skipped += name not in scored_by
            outcome.left += name in scored_by and added is None
            outcome.unscored += added is not None and added["score"] is None
            written.append({**row, **(added or NOT_SCORED)})
        write_scored(self.output, written)
        self.journal.unlink(missing_ok=True)


def _key(row: Row, scored_by: str) -> str:
    return fingerprint(row.get("prompt_id"), row.get("response"), scored_by)


def _lines(journal: Path) -> Iterable[dict[str, Any]]:
    """Yield what a run that was killed had kept; its last line may be cut."""
    if not journal.is_file():
        return
    for line in journal.read_text(encoding="utf-8").split("\n"):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row

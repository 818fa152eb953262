"""Candidates that models gave to prompts with too few: every reader of a prompt adds them here."""

from dataclasses import dataclass

from autosr_lib.domain.prompt import Prompt
from autosr_lib.errors import AutosrError
from autosr_lib.evaluation.responses import needs_responses, with_candidates
from autosr_lib.pipeline.dataset_plan import DatasetPlan
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.rows import Row, read_candidates
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.tables import Status


class UpstreamError(AutosrError):
    """A prompt that failed in an earlier step; the message is that step's."""


@dataclass(frozen=True)
class SampledCandidates:
    """The stored samples of a dataset."""

    plan: DatasetPlan
    store: TableStore

    def add_to(self, prompt: Prompt) -> Prompt:
        """Return the prompt with its samples, or unchanged where it needs none or they are missing, stale or failed."""
        row = self._row(prompt)
        return prompt if row is None else with_candidates(prompt, read_candidates(row))

    def require(self, prompt: Prompt) -> Prompt:
        """Return the prompt with its samples.

        Raises:
            UpstreamError: it still has too few candidates; the message says why.
        """
        completed = self.add_to(prompt)
        if self.plan.samples_candidates and needs_responses(completed):
            rows = self.store.read(self.plan.candidates_table, partition_key(prompt.prompt_id), ["error"])
            error = rows["error"][0].as_py() if rows is not None and rows.num_rows else None
            raise UpstreamError(error or f"too few candidates; materialize {self.plan.candidates_table} first")
        return completed

    def are_complete(self, prompt: Prompt) -> bool:
        """Return whether no sample of the prompt remains to be asked for again."""
        if not self.plan.samples_candidates:
            return True
        rows = self.store.read(self.plan.candidates_table, partition_key(prompt.prompt_id), ["status"])
        return rows is None or rows["status"][0].as_py() != Status.INCOMPLETE

    def _row(self, prompt: Prompt) -> Row | None:
        """Return the row of up-to-date samples, or None."""
        if not self.plan.samples_candidates or not needs_responses(prompt):
            return None
        rows = self.store.read(self.plan.candidates_table, partition_key(prompt.prompt_id))
        row: Row | None = rows.to_pylist()[0] if rows is not None and rows.num_rows else None
        if row is None or row["status"] not in (Status.DONE, Status.INCOMPLETE):
            return None
        return row if row["input_fingerprint"] == self.plan.candidates_fingerprint(prompt) else None

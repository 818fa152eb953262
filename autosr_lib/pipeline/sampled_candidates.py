"""The sampled candidates of a dataset; each step adds them to the stored prompts that it reads."""

from dataclasses import dataclass

from autosr_lib.domain.prompt import Prompt
from autosr_lib.errors import AutosrError
from autosr_lib.evaluation.responses import SamplingResult, needs_responses, with_candidates
from autosr_lib.pipeline.dataset_plan import DatasetPlan
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.tables.candidates import read_sampled
from autosr_lib.storage.tables.columns import RowStatus, Status, read_row_status, read_status


class UpstreamError(AutosrError):
    """A prompt failed in an earlier step; the message is that step's."""


@dataclass(frozen=True)
class SampledCandidates:
    """The stored samples of a dataset."""

    plan: DatasetPlan
    store: TableStore

    def add_to(self, prompt: Prompt) -> Prompt:
        """Return the prompt with its samples, or unchanged if it needs none or they are missing, stale or failed."""
        sampled = self._up_to_date(prompt)
        return prompt if sampled is None else with_candidates(prompt, sampled.candidates)

    def require(self, prompt: Prompt) -> Prompt:
        """Return the prompt with its samples.

        Raises:
            UpstreamError: the prompt has too few candidates; the message says why.
        """
        completed = self.add_to(prompt)
        if self.plan.samples_candidates and needs_responses(completed):
            rows = self.store.read(self.plan.candidates_table, partition_key(prompt.prompt_id), RowStatus._fields)
            error = read_row_status(rows).error if rows is not None and rows.num_rows else None
            raise UpstreamError(error or f"too few candidates; materialize {self.plan.candidates_table} first")
        return completed

    def are_complete(self, prompt: Prompt) -> bool:
        """Return whether no sample of the prompt is missing."""
        if not self.plan.samples_candidates:
            return True
        rows = self.store.read(self.plan.candidates_table, partition_key(prompt.prompt_id), ["status"])
        return rows is None or read_status(rows) != Status.INCOMPLETE

    def _up_to_date(self, prompt: Prompt) -> SamplingResult | None:
        """Return the prompt's samples, or None if it needs none or they are missing, stale or failed."""
        if not self.plan.samples_candidates or not needs_responses(prompt):
            return None
        rows = self.store.read(self.plan.candidates_table, partition_key(prompt.prompt_id))
        row = read_sampled(rows) if rows is not None and rows.num_rows else None
        is_current = row is not None and row.row_status.input_fingerprint == self.plan.candidates_fingerprint(prompt)
        return row.sampled if row is not None and is_current else None

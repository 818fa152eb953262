"""What the asset `candidates` does, where a dataset has a pool of models: candidates for prompts with too few."""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from autosr_assets.resources import Backends, Progress
from autosr_assets.steps.prompt_rows import Filled, PromptTable, UpstreamError
from autosr_assets.steps.running import run_with
from autosr_assets.views.metadata import candidates_metadata
from autosr_lib.backends import Backend
from autosr_lib.domain.prompt import Prompt
from autosr_lib.errors import SettingsError
from autosr_lib.evaluation.responses import Sampled, needs_responses, sample_candidates, with_candidates
from autosr_lib.evaluation.roles import Responder
from autosr_lib.search.fingerprints import candidates_fingerprint
from autosr_lib.settings import DatasetRunSettings
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.store import StoredTable, TableStore
from autosr_lib.storage.tables.candidates import CANDIDATES, candidates_table, read_sampled
from autosr_lib.storage.tables.columns import RowStatus, Status, read_row_status, read_status


@dataclass(frozen=True)
class CandidateStep:
    """The asset `candidates`, and what all later assets ask it: a prompt with the candidates it was given."""

    store: TableStore
    table: str
    settings: DatasetRunSettings
    backend: Backend
    responder: Responder
    backends: Backends
    progress: Progress

    @classmethod
    def of(
        cls,
        store: TableStore,
        table: str,
        settings: DatasetRunSettings,
        backend: Backend,
        backends: Backends,
        progress: Progress,
    ) -> "CandidateStep":
        """Return the step.

        Raises:
            SettingsError: the backend has no models.
        """
        if backend.responder is None:
            raise SettingsError(
                f"response_models is {list(settings.responses.response_models)}, but the backend is "
                f"{str(backend.name)!r}, which has no models to answer prompts; allowed: backend 'llm', or no pool"
            )
        return cls(store, table, settings, backend, backend.responder, backends, progress)

    def run(self, dataset: StoredTable, keys: Iterable[str]) -> Filled:
        """Return what was sampled for the prompts of the run."""
        table = PromptTable(self.store, self.table, CANDIDATES, self.fingerprint, self._work, candidates_metadata)
        filling = table.fill(dataset, keys, self.progress, "candidates")
        pool = self.settings.responses.response_models
        return run_with(self.backend, self.backends, self.store, self.table, filling, pool)

    def fingerprint(self, prompt: Prompt) -> str:
        """Return the input fingerprint of a prompt's candidates; `prompt` is as the dataset has it."""
        return candidates_fingerprint(prompt, self.settings.responses, self.backend.identity["responder"])

    async def _work(self, prompt: Prompt, fingerprint: str) -> pa.Table:
        sampled = await sample_candidates(prompt, self.settings.responses, self.responder)
        return candidates_table(prompt.prompt_id, fingerprint, sampled)

    def completed(self, prompt: Prompt) -> Prompt:
        """Return the prompt with the candidates that it was given; as it is where they are missing, stale or failed."""
        sampled = self._sampled(prompt)
        return prompt if sampled is None else with_candidates(prompt, sampled.candidates)

    def complete(self, prompt: Prompt) -> Prompt:
        """Return the prompt with enough candidates.

        Raises:
            UpstreamError: it has too few, and why.
        """
        known = self.completed(prompt)
        if needs_responses(known):
            rows = self.store.read(self.table, partition_key(prompt.prompt_id), RowStatus._fields)
            why = read_row_status(rows).error if rows is not None and rows.num_rows else None
            raise UpstreamError(why or f"too few candidates; materialize {self.table} first")
        return known

    def is_whole(self, prompt: Prompt) -> bool:
        """Return whether no sample of a prompt's candidates is to be asked again."""
        rows = self.store.read(self.table, partition_key(prompt.prompt_id), ["status"])
        return rows is None or read_status(rows) != Status.INCOMPLETE

    def _sampled(self, prompt: Prompt) -> Sampled | None:
        """Return what was sampled for a prompt as the dataset has it now, None where nothing was or had to be."""
        if not needs_responses(prompt):
            return None
        rows = self.store.read(self.table, partition_key(prompt.prompt_id))
        row = read_sampled(rows) if rows is not None and rows.num_rows else None
        if row is None or row.sampled is None:
            return None
        return row.sampled if row.row_status.input_fingerprint == self.fingerprint(prompt) else None

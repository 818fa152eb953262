"""The steps of a dataset: sampling candidates and gathering preferences."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from autosr_lib.backends import Backend
from autosr_lib.domain.prompt import Prompt
from autosr_lib.evaluation.holdout import hidden_candidates
from autosr_lib.evaluation.reference import gather_preferences
from autosr_lib.evaluation.responses import sample_candidates
from autosr_lib.pipeline.dataset_plan import JUDGE_GRADING, JUDGE_SEED, DatasetPlan
from autosr_lib.pipeline.prompt_table import Describe, PromptTable, StepResult
from autosr_lib.pipeline.run_context import RunContext
from autosr_lib.pipeline.sampled_candidates import SampledCandidates
from autosr_lib.storage.store import StoredTable
from autosr_lib.storage.tables.candidates import CANDIDATES, candidates_table
from autosr_lib.storage.tables.preferences import PREFERENCES, preferences_table


@dataclass(frozen=True)
class DatasetRunner:
    """Fills the tables `candidates` and `preferences` of a dataset."""

    plan: DatasetPlan
    run: RunContext

    @cached_property
    def samples(self) -> SampledCandidates:
        """Return the stored samples of the dataset."""
        return SampledCandidates(self.plan, self.run.store)

    @property
    def dataset(self) -> StoredTable:
        """Return the handle on the stored prompts."""
        return self.run.store.stored(self.plan.dataset_table)

    @cached_property
    def backend(self) -> Backend:
        """Return the backend of the judge and the responder, which is opened at its first use."""
        return self.run.backends.get(self.plan.settings.backend, JUDGE_GRADING, JUDGE_SEED)

    async def sample_candidates(self, keys: Sequence[str], describe: Describe | None = None) -> StepResult:
        """Sample candidates from the pool of models for the prompts that have too few."""
        table = PromptTable(
            self.plan.candidates_table,
            CANDIDATES,
            self.dataset,
            self.plan.candidates_fingerprint,
            self._candidates_rows,
            describe,
        )
        return await table.fill(self.run, self.backend, keys, self.plan.settings.responses.response_models)

    async def gather_preferences(self, keys: Sequence[str], describe: Describe | None = None) -> StepResult:
        """Take each prompt's preferences from its labels, or ask the judge."""
        table = PromptTable(
            self.plan.preferences_table,
            PREFERENCES,
            self.dataset,
            lambda prompt: self.plan.preferences_fingerprint(self.samples.add_to(prompt)),
            self._preferences_rows,
            describe,
        )
        return await table.fill(self.run, self.backend, keys)

    async def _candidates_rows(self, prompt: Prompt, fingerprint: str) -> pa.Table:
        responder = self.backend.responder
        assert responder is not None  # noqa: S101 - a plan with a pool of models has a model backend
        sampled = await sample_candidates(prompt, self.plan.settings.responses, responder)
        return candidates_table(prompt.prompt_id, fingerprint, sampled)

    async def _preferences_rows(self, prompt: Prompt, fingerprint: str) -> pa.Table:
        prompt = self.samples.require(prompt)
        settings = self.plan.settings
        preferences = await gather_preferences(prompt, settings.reference, self.backend.roles.judge)
        hidden = hidden_candidates(prompt, settings.holdout)
        is_complete = self.samples.are_complete(prompt)
        return preferences_table(prompt.prompt_id, fingerprint, preferences, hidden, has_all_candidates=is_complete)

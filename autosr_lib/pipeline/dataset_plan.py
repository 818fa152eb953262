"""The plan of a dataset: which tables it has and what their rows depend on. It opens no backend."""

from dataclasses import dataclass
from functools import cached_property

from autosr_lib.backends import backend_identity
from autosr_lib.domain.prompt import Prompt
from autosr_lib.errors import SettingsError
from autosr_lib.evaluation.settings import GradingSettings
from autosr_lib.search.fingerprints import RoleIdentities, candidates_fingerprint, preferences_fingerprint
from autosr_lib.settings import BackendName, DatasetRunSettings
from autosr_lib.storage.table_names import TableName

JUDGE_SEED = 7
JUDGE_GRADING = GradingSettings()
"""Grading settings of the judge's backend. The judge compares candidates and grades none, so they are fixed."""


@dataclass(frozen=True)
class DatasetPlan:
    """What the candidates and preferences of a dataset's prompts depend on.

    Args:
        name: the dataset's name; its tables are stored under it.
        settings: its file, reference order and holdout, and the backend of the judge.
    """

    name: str
    settings: DatasetRunSettings

    @property
    def dataset_table(self) -> TableName:
        """Return the table of the prompts."""
        return TableName.dataset(self.name)

    @property
    def candidates_table(self) -> TableName:
        """Return the table of sampled candidates."""
        return TableName.candidates(self.name)

    @property
    def preferences_table(self) -> TableName:
        """Return the table of preferences."""
        return TableName.preferences(self.name)

    @cached_property
    def identity(self) -> RoleIdentities:
        """Return the identities of the judge and the responder, by role.

        Raises:
            SettingsError: the API key of the backend `llm` is missing, or a pool of models has another backend.
        """
        backend, pool = self.settings.backend.resolved, self.settings.responses.response_models
        if pool and backend is not BackendName.LLM:
            raise SettingsError(
                f"response_models is {list(pool)}, but the backend is {str(backend)!r}, which has no models to answer "
                "prompts; allowed: backend 'llm', or no response_models"
            )
        return backend_identity(self.settings.backend, JUDGE_SEED)

    @property
    def samples_candidates(self) -> bool:
        """Return whether models sample candidates for the prompts that have too few."""
        return bool(self.settings.responses.response_models)

    def candidates_fingerprint(self, prompt: Prompt) -> str:
        """Return the input fingerprint of a prompt's sampled candidates; `prompt` is as the dataset has it."""
        return candidates_fingerprint(prompt, self.settings.responses, self.identity["responder"])

    def preferences_fingerprint(self, prompt: Prompt) -> str:
        """Return the input fingerprint of a prompt's preferences; `prompt` has its sampled candidates."""
        return preferences_fingerprint(prompt, self.settings.reference, self.identity["judge"])

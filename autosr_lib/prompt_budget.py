"""The share of `max_calls` of each prompt: the same for every run of the dataset, whatever is left to do."""

from dataclasses import dataclass

from autosr_lib.domain.prompt import Prompt
from autosr_lib.errors import SettingsError
from autosr_lib.evaluation.responses import sampling_calls
from autosr_lib.search.estimate import judge_calls, min_calls
from autosr_lib.settings import BackendName, DatasetRunSettings, SearchRunSettings


@dataclass(frozen=True)
class PromptBudget:
    """The calls of a run, divided evenly among all prompts of the dataset; without a model there is no limit."""

    settings: SearchRunSettings
    dataset: DatasetRunSettings
    prompts: int
    """Number of prompts in the dataset, not in the run: a prompt's result must not depend on the run (docs/method.md §7)."""

    def of(self, prompt: Prompt) -> int | None:
        """Return the most requests of a prompt's search, None without a limit.

        The preflight is subtracted before the division; the prompt's samples and judgements are subtracted from its share.
        """
        if (limit := self.settings.stop.max_calls_per_prompt) is not None:
            return limit
        max_calls = self.settings.backend.llm.max_calls
        if max_calls is None or self.settings.backend.resolved is not BackendName.LLM:
            return None
        return max(1, (max_calls - self._preflight) // max(1, self.prompts) - self._calls_outside(prompt))

    def check(self, prompt: Prompt) -> None:
        """Check that a prompt's share pays for the initial rubric.

        Raises:
            SettingsError: it does not.
        """
        share, least = self.of(prompt), self._least(prompt)
        if self.settings.stop.max_calls_per_prompt is not None or share is None or share >= least:
            return
        enough = (least + self._calls_outside(prompt)) * self.prompts + self._preflight
        raise SettingsError(
            f"max_calls is {self.settings.backend.llm.max_calls}, {share} for prompt {prompt.prompt_id!r}, one of "
            f"{self.prompts}, after {self._calls_outside(prompt)} for its judge and samples: too few to grade the initial rubric, which "
            f"takes {least}; allowed: at least {enough}, or max_calls_per_prompt"
        )

    def surplus(self, prompt: Prompt) -> int:
        """Return the calls of a prompt's share that are left after the initial rubric."""
        return (self.of(prompt) or 0) - self._least(prompt)

    def _least(self, prompt: Prompt) -> int:
        return min_calls(prompt, self.settings, self.dataset.holdout)

    def _calls_outside(self, prompt: Prompt) -> int:
        """Return the prompt's calls outside its search that count against the same budget."""
        if self.dataset.backend.llm != self.settings.backend.llm:
            return 0
        return judge_calls(prompt, self.dataset.reference) + sampling_calls(prompt, self.dataset.responses)

    @property
    def _preflight(self) -> int:
        llm = self.settings.backend.llm
        pool = self.dataset.responses.response_models if self.dataset.backend.llm == llm else ()
        return len(llm.models.union(pool))

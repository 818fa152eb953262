"""What one prompt may ask of a run's `max_calls`: the same however the run is started, and whatever is left to do."""

from dataclasses import dataclass

from autosr_lib.domain.prompt import Prompt
from autosr_lib.errors import SettingsError
from autosr_lib.evaluation.responses import sampling_calls
from autosr_lib.search.estimate import judge_calls, min_calls
from autosr_lib.settings import BackendName, DatasetRunSettings, SearchRunSettings


@dataclass(frozen=True)
class PromptBudget:
    """The calls of a run, divided evenly over all prompts of the dataset; nothing is divided without a model."""

    settings: SearchRunSettings
    dataset: DatasetRunSettings
    prompts: int
    """Prompts of the whole dataset, not of the run: a prompt must end where it would end in every run (docs/method.md §7)."""

    def of(self, prompt: Prompt) -> int | None:
        """Return the requests that the search of a prompt may make, None without a limit.

        The preflight comes off the whole, the prompt's own samples and comparisons by the judge off its share.
        """
        if (own := self.settings.stop.max_calls_per_prompt) is not None:
            return own
        whole = self.settings.backend.llm.max_calls
        if whole is None or self.settings.backend.resolved is not BackendName.LLM:
            return None
        return max(1, (whole - self._preflight) // max(1, self.prompts) - self._apart(prompt))

    def check(self, prompt: Prompt) -> None:
        """Refuse a share that would not pay for a first rubric.

        Raises:
            SettingsError: it would not.
        """
        share, least = self.of(prompt), self._least(prompt)
        if self.settings.stop.max_calls_per_prompt is not None or share is None or share >= least:
            return
        enough = (least + self._apart(prompt)) * self.prompts + self._preflight
        raise SettingsError(
            f"max_calls is {self.settings.backend.llm.max_calls}, {share} for prompt {prompt.prompt_id!r}, one of "
            f"{self.prompts}, after {self._apart(prompt)} for its judge and samples: too few to grade a first rubric, which takes "
            f"{least}; allowed: at least {enough}, or max_calls_per_prompt"
        )

    def surplus(self, prompt: Prompt) -> int:
        """Return what a prompt's share has beyond a first rubric."""
        return (self.of(prompt) or 0) - self._least(prompt)

    def _least(self, prompt: Prompt) -> int:
        return min_calls(prompt, self.settings, self.dataset.holdout)

    def _apart(self, prompt: Prompt) -> int:
        """Return the prompt's calls outside of its search that are paid from the same budget."""
        if self.dataset.backend.llm != self.settings.backend.llm:
            return 0
        return judge_calls(prompt, self.dataset.reference) + sampling_calls(prompt, self.dataset.responses)

    @property
    def _preflight(self) -> int:
        llm = self.settings.backend.llm
        pool = self.dataset.responses.response_models if self.dataset.backend.llm == llm else ()
        return len(llm.models.union(pool))

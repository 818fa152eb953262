"""A prompt made ready for a search: what is visible of it, and the reference over that."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from autosr_lib.domain.prompt import Prompt
from autosr_lib.evaluation.arrays import FloatArray, IntArray
from autosr_lib.evaluation.holdout import hidden_candidates
from autosr_lib.evaluation.objective import pair_weights, touches_tail
from autosr_lib.evaluation.reference import PromptPreferences, Reference, build_reference
from autosr_lib.evaluation.settings import HoldoutSettings, ObjectiveSettings


@dataclass(frozen=True)
class PreparedPrompt:
    """One prompt, its preferences and what is hidden; candidates are known by their place in `prompt.candidates`."""

    prompt: Prompt
    preferences: PromptPreferences
    hidden_ids: frozenset[str]
    objective: ObjectiveSettings

    @classmethod
    def of(
        cls, prompt: Prompt, preferences: PromptPreferences, holdout: HoldoutSettings, objective: ObjectiveSettings
    ) -> "PreparedPrompt":
        """Return the prompt made ready, with the candidates hidden that the holdout settings say."""
        return cls(prompt, preferences, hidden_candidates(prompt, holdout), objective)

    @cached_property
    def visible(self) -> IntArray:
        """Return the places of the candidates that the search may see, in the order of the dataset."""
        return self._places(hidden=False)

    @cached_property
    def hidden(self) -> IntArray:
        """Return the places of the hidden candidates."""
        return self._places(hidden=True)

    def _places(self, *, hidden: bool) -> IntArray:
        ids = [candidate.candidate_id for candidate in self.prompt.candidates]
        return np.array([i for i, name in enumerate(ids) if (name in self.hidden_ids) is hidden], dtype=np.int64)

    @cached_property
    def texts(self) -> tuple[str, tuple[str, ...]]:
        """Return the prompt's text and all its candidates' texts."""
        return self.prompt.prompt, tuple(candidate.text for candidate in self.prompt.candidates)

    @cached_property
    def reference(self) -> Reference:
        """Return what is true of the visible candidates; places are among the visible ones."""
        return self._reference_over(self.visible)

    @cached_property
    def whole_reference(self) -> Reference:
        """Return what is true of all candidates; only what comes after the search may look at it."""
        return self._reference_over(np.arange(len(self.prompt.candidates)))

    def _reference_over(self, places: Sequence[int] | IntArray) -> Reference:
        return build_reference([self.prompt.candidates[i] for i in places], self.preferences)

    @cached_property
    def fit_weights(self) -> FloatArray:
        """Return (P,) the weights by which a fit of a rubric's weights counts the visible pairs."""
        return pair_weights(self.reference, self.objective)

    @cached_property
    def fitted(self) -> dict[bytes, FloatArray]:
        """Return the fits made so far, by a hash of what they were made from: the best are fitted in every generation."""
        return {}

    @cached_property
    def tail_pairs(self) -> IntArray:
        """Return the places of the visible pairs that touch the reference tail."""
        return np.flatnonzero(touches_tail(self.reference, self.objective))

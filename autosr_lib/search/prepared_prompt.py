"""A prompt prepared for a search: its visible and hidden candidates, and the reference."""

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
    """A prompt, its preferences and its hidden candidates; a *position* is an index into `prompt.candidates`."""

    prompt: Prompt
    preferences: PromptPreferences
    hidden_ids: frozenset[str]
    objective: ObjectiveSettings

    @classmethod
    def of(
        cls, prompt: Prompt, preferences: PromptPreferences, holdout: HoldoutSettings, objective: ObjectiveSettings
    ) -> "PreparedPrompt":
        """Return the prepared prompt, with the candidates hidden that the holdout settings select."""
        return cls(prompt, preferences, hidden_candidates(prompt, holdout), objective)

    @cached_property
    def visible(self) -> IntArray:
        """Return the positions of the candidates that the search may use, in dataset order."""
        return self._positions(hidden=False)

    @cached_property
    def hidden(self) -> IntArray:
        """Return the positions of the hidden candidates, in dataset order."""
        return self._positions(hidden=True)

    def _positions(self, *, hidden: bool) -> IntArray:
        ids = [candidate.candidate_id for candidate in self.prompt.candidates]
        return np.array([i for i, name in enumerate(ids) if (name in self.hidden_ids) is hidden], dtype=np.int64)

    @cached_property
    def texts(self) -> tuple[str, tuple[str, ...]]:
        """Return the prompt's text and the texts of all its candidates."""
        return self.prompt.prompt, tuple(candidate.text for candidate in self.prompt.candidates)

    @cached_property
    def reference(self) -> Reference:
        """Return the reference over the visible candidates; its indices point into `visible`."""
        return self._reference_over(self.visible)

    @cached_property
    def complete_reference(self) -> Reference:
        """Return the reference over all candidates; only code that runs after the search may use it."""
        return self._reference_over(np.arange(len(self.prompt.candidates)))

    def _reference_over(self, positions: Sequence[int] | IntArray) -> Reference:
        return build_reference([self.prompt.candidates[i] for i in positions], self.preferences)

    @cached_property
    def pair_weights(self) -> FloatArray:
        """Return (P,) the weights of the visible pairs when criterion weights are fitted."""
        return pair_weights(self.reference, self.objective)

    @cached_property
    def tail_pairs(self) -> IntArray:
        """Return the indices of the visible pairs that touch the reference tail."""
        return np.flatnonzero(touches_tail(self.reference, self.objective))

    @cached_property
    def fit_cache(self) -> dict[bytes, FloatArray]:
        """Return a cache of fitted weights by a hash of the fit's inputs, since every generation fits the best again."""
        return {}

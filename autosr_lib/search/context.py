"""The context of a prompt's search: everything that it needs apart from its state."""

from collections.abc import Sequence
from dataclasses import dataclass

from autosr_lib.evaluation.grade_bank import GradeBank
from autosr_lib.search.graded_prompt import GradedPrompt
from autosr_lib.search.prepared_prompt import PreparedPrompt
from autosr_lib.search.roles import Roles
from autosr_lib.search.settings import Contrast, Mode, SearchSettings, Structure


@dataclass(frozen=True)
class SearchContext:
    """The prompt, the roles that answer, and the settings of its search."""

    prepared: PreparedPrompt
    roles: Roles
    settings: SearchSettings
    structure: Structure

    def graded(self, bank: GradeBank, votes: Sequence[int] | None = None) -> GradedPrompt:
        """Return the prompt with the grades in `bank`; by default the votes that the search uses count."""
        return GradedPrompt(
            bank, self.prepared, self.votes if votes is None else votes, self.settings.grading.aggregate
        )

    @property
    def contrast(self) -> Contrast:
        """Return which pairs the proposer is shown: the setting, or the default of the search mode."""
        default = Contrast.RTD if self.structure.mode is Mode.ITERATIVE else Contrast.MISORDERED
        return self.settings.mutation.contrast or default

    @property
    def votes(self) -> range:
        """Return the votes that rubrics are evaluated on during the search."""
        return range(self.settings.grading.num_votes)

    @property
    def fresh_votes(self) -> range:
        """Return the additional votes that only the finalists get."""
        first = self.settings.grading.num_votes
        return range(first, first + self.settings.grading.finalist_votes)

    @property
    def all_votes(self) -> range:
        """Return every vote that a bank has room for: those of the search and those of the conclusion."""
        grading = self.settings.grading
        return range(max(grading.num_votes + grading.finalist_votes, grading.holdout_votes))

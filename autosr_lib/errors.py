"""The errors of the project, by who can fix them.

AutosrError
├── DatasetError        the owner of the data
├── SettingsError       the user who set the value
├── StorageError        the operator of the machine or the bucket
├── EndpointError       the operator of the model endpoint
├── TemplateError       the author of the template
├── ReplyError          nobody: it is counted and reported, and the search continues
├── RoleError           nobody: the prompt fails, and the others continue
└── BudgetExhausted     nobody: a normal end of a search
"""

from collections.abc import Sequence


class AutosrError(Exception):
    """Base class of all expected errors; the command line prints the message on one line and exits with code 2."""


class DatasetError(AutosrError):
    """A dataset that cannot be used, with all its faults.

    Args:
        where: the file that was read.
        faults: one sentence per fault, each beginning with its location (`prompts[3].prompt_id: …`).
    """

    SHOWN = 20

    def __init__(self, where: str, faults: Sequence[str]) -> None:
        self.where = where
        self.faults = tuple(faults)
        shown = list(self.faults[: self.SHOWN])
        if (more := len(self.faults) - self.SHOWN) > 0:
            shown.append(f"and {more} more")
        super().__init__(f"{where}: " + "; ".join(shown))

    def __reduce__(self) -> tuple[type["DatasetError"], tuple[str, tuple[str, ...]]]:
        return type(self), (self.where, self.faults)


class SettingsError(AutosrError):
    """A setting that is unknown or invalid; the message names it, its value and what is allowed."""


class StorageError(AutosrError):
    """A table or a storage root that cannot be read or written."""


class EndpointError(AutosrError):
    """A model endpoint that cannot be used; the run ends."""


class TemplateError(AutosrError):
    """A prompt template that is missing or uses a variable that does not exist."""


class ReplyError(AutosrError):
    """A model's reply that cannot be read; what was requested stays *ungraded*."""


class RoleError(AutosrError):
    """A role that fails for a prompt in a way that fails the prompt."""


class BudgetExhausted(AutosrError):  # noqa: N818 - a normal end, not an error
    """The run's budget is exhausted; the best rubric so far is the result."""

"""The errors of the project, as a tree by who can mend them.

AutosrError
├── DatasetError        the owner of the data
├── SettingsError       whoever set it
├── StorageError        whoever runs the machine or the bucket
├── EndpointError       the operator of the model endpoint
├── TemplateError       whoever wrote the template
├── ReplyError          nobody: count it, go on, report it
├── RoleError           nobody: the prompt fails, the others go on
└── BudgetExhausted     nobody: a normal ending
"""

from collections.abc import Sequence


class AutosrError(Exception):
    """A fault that we can name; the command line prints it on one line and exits with code 2."""


class DatasetError(AutosrError):
    """A dataset that cannot be used, with every fault and its place.

    Args:
        where: the file, or what else was read.
        faults: one sentence a fault, each opening with its place (`prompts[3].prompt_id: …`).
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
    """A setting that is unknown or impossible; names it, its value and what is allowed."""


class StorageError(AutosrError):
    """A table or a storage root that cannot be read or written."""


class EndpointError(AutosrError):
    """A model endpoint that will not answer; ends the run."""


class TemplateError(AutosrError):
    """A prompt template that is missing or asks for a field that does not exist."""


class ReplyError(AutosrError):
    """A model's reply that cannot be read: the thing asked for stays *ungraded*."""


class RoleError(AutosrError):
    """A role that keeps failing for a prompt, where the settings say that this fails the prompt."""


class BudgetExhausted(AutosrError):  # noqa: N818 - it is no error: the best so far is the result
    """The run's budget is spent; the best so far is the result."""

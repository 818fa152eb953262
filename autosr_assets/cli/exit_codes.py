"""Exit codes of `autosr`."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit code means."""

    DONE = 0
    INTERNAL_ERROR = 1
    """A bug in autosr."""
    USER_ERROR = 2
    """The command, its data or the machine must be fixed; the message says how."""
    SOME_FAILED = 3
    """Some prompts failed; the results of the others are stored."""
    CHECK_FAILED = 4
    """A check of stored results failed or has not run."""
    INTERRUPTED = 130
    """Ctrl-C."""
    TERMINATED = 143
    """SIGTERM."""

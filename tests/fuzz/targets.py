"""Fuzzes one reader with atheris: `python -m tests.fuzz.targets replies|datasets`, followed by options of libFuzzer.

For any bytes, a reader returns or raises its own error. Any other error ends the process and shows the input.
"""

import contextlib
import io
import sys

import atheris

with atheris.instrument_imports(include=["autosr_lib"]):
    from autosr_lib.errors import DatasetError, ReplyError
    from autosr_lib.evaluation.settings import GradingSettings
    from autosr_lib.llm.replies.criteria import read_rubric
    from autosr_lib.llm.replies.grades import read_grades
    from autosr_lib.llm.replies.verdict import read_verdict
    from autosr_lib.storage.dataset_checks import check_prompts
    from autosr_lib.storage.dataset_formats import DATASET_SUFFIXES, read_raw_dataset


def replies(data: bytes) -> None:
    """Read a reply with the readers of several roles."""
    text = data.decode("utf-8", "replace")
    for read in (
        read_rubric,
        read_verdict,
        lambda reply: read_grades(reply, {"C1": "a", "C2": "b"}, GradingSettings()),
    ):
        with contextlib.suppress(ReplyError):
            read(text)


def datasets(data: bytes) -> None:
    """Read a file; the first byte selects its format."""
    suffix = DATASET_SUFFIXES[data[0] % len(DATASET_SUFFIXES)] if data else ".json"
    with contextlib.suppress(DatasetError):
        for _ in check_prompts(read_raw_dataset(io.BytesIO(data[1:]), suffix, "fuzz").prompts, 2):
            pass


if __name__ == "__main__":
    target = {"replies": replies, "datasets": datasets}[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()

"""Fuzzes one reader with atheris: `python -m tests.fuzz.targets replies|datasets`, and libFuzzer's options.

Whatever the bytes, a reader answers or raises its own error; anything else ends the process and shows the input.
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
    from autosr_lib.storage.dataset_formats import READERS, read_raw


def replies(data: bytes) -> None:
    """Read a reply as every role would."""
    text = data.decode("utf-8", "replace")
    for read in (read_rubric, read_verdict, lambda said: read_grades(said, {"C1": "a", "C2": "b"}, GradingSettings())):
        with contextlib.suppress(ReplyError):
            read(text)


def datasets(data: bytes) -> None:
    """Read a file whose first byte chooses its format."""
    suffix = list(READERS)[data[0] % len(READERS)] if data else ".json"
    with contextlib.suppress(DatasetError):
        for _ in check_prompts(read_raw(io.BytesIO(data[1:]), suffix, "fuzz").prompts, 2):
            pass


if __name__ == "__main__":
    target = {"replies": replies, "datasets": datasets}[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()

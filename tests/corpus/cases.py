"""The reader of each kind of malformed input in `tests/corpus/`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from autosr_lib.errors import AutosrError
from autosr_lib.evaluation.settings import GradingSettings
from autosr_lib.llm.replies.criteria import read_rubric
from autosr_lib.llm.replies.grades import read_grades
from autosr_lib.llm.replies.verdict import read_verdict
from autosr_lib.llm.settings import Role
from autosr_lib.llm.templates import PromptTemplate
from autosr_lib.search.settings import InitializerSettings, InitializerStrategy
from autosr_lib.settings import SearchRunSettings
from autosr_lib.settings_merge import merge_settings, nested_settings
from autosr_lib.storage.datasets import read_dataset
from autosr_lib.storage.presets import read_presets


def _dataset(name: str, content: Any, folder: Path) -> None:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    read_dataset(str(folder / name))


def _settings(name: str, content: Any, folder: Path) -> None:
    merge_settings(SearchRunSettings(), nested_settings(content))


def _preset(name: str, content: Any, folder: Path) -> None:
    path = folder / "presets.json"
    path.write_text(content, encoding="utf-8")
    read_presets(InitializerSettings(initializer_strategy=InitializerStrategy.PRESET, preset_rubrics=str(path)))


def _template(name: str, content: Any, folder: Path) -> None:
    PromptTemplate(Role.JUDGE, content, "judge.md")


KINDS: dict[str, Callable[[str, Any, Path], Any]] = {
    "datasets": _dataset,
    "settings": _settings,
    "presets": _preset,
    "templates": _template,
    "replies-grades": lambda name, content, folder: read_grades(content, {"C1": "key"}, GradingSettings()),
    "replies-verdict": lambda name, content, folder: read_verdict(content),
    "replies-rubric": lambda name, content, folder: read_rubric(content),
}


def error_message(kind: str, name: str, content: Any, folder: Path) -> str | None:
    """Return the error message of an input, without its folder; None if the input is accepted."""
    try:
        KINDS[kind](name, content, folder)
    except AutosrError as error:
        return str(error).replace(f"{folder}/", "")
    return None

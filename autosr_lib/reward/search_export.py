"""Reading the export of a search: the prompts, their rubrics, and how candidates were graded."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from upath import UPath

from autosr_lib.domain.rubric import Rubric
from autosr_lib.errors import SettingsError
from autosr_lib.settings import BackendName, SearchRunSettings
from autosr_lib.settings_merge import validate_settings
from autosr_lib.storage.strict_json import parse_json


class RubricChoice(StrEnum):
    """Which rubric of a prompt grades; the values are field names of `ExportEntry`."""

    RUBRIC = "rubric"
    """The rubric to use: its weights are fitted on all candidates, hidden ones included."""
    MEASURED = "measured_rubric"
    """The rubric of the export's held-out figures: it was chosen and fitted without the hidden candidates."""
    INITIAL = "initial_rubric"
    """The rubric that the search started from, for comparison."""


def parse_rubric_choice(name: RubricChoice | str) -> RubricChoice:
    """Return the rubric choice of a name.

    Raises:
        SettingsError: there is no such choice.

    >>> parse_rubric_choice("measured_rubric").name
    'MEASURED'
    """
    try:
        return RubricChoice(name)
    except ValueError:
        raise SettingsError(f"which is {name!r}; must be one of {', '.join(RubricChoice)}") from None


class ExportEntry(BaseModel):
    """The entry of one prompt in an export; fields that grading does not need are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    prompt_id: str
    prompt: str
    rubric: Rubric
    measured_rubric: Rubric
    initial_rubric: Rubric
    candidate_scores: Mapping[str, float | None]
    hidden_candidates: frozenset[str]

    def choose(self, choice: RubricChoice) -> Rubric:
        """Return the chosen rubric."""
        rubric: Rubric = getattr(self, choice.value)
        return rubric


@dataclass(frozen=True)
class SearchExport:
    """The parts of an export that grading needs."""

    path: str
    search: str
    entries: Mapping[str, ExportEntry]
    """By prompt id, in the order of the export."""
    settings: SearchRunSettings
    backend: BackendName
    """The backend that graded the candidates: `llm` or `heuristic`."""
    verifier_template: str | None
    """The text of the verifier's prompt template; None for heuristics."""
    method_version: str


def read_export(path: str | UPath) -> SearchExport:
    """Return the export in a file, local or in an object store.

    Raises:
        SettingsError: the file cannot be read, is not an export, or was written by an earlier version and lacks what
            grading needs.
    """
    try:
        content = parse_json(UPath(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, ImportError) as error:  # ImportError: the package of an object store is missing
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingsError(
            f"{path}: cannot be read: {reason}; allowed: the JSON that `autosr search` wrote"
        ) from error
    if not isinstance(content, Mapping) or not isinstance(content.get("best_rubrics"), list):
        raise SettingsError(f"{path}: has no best_rubrics; allowed: the JSON that `autosr search` wrote")
    manifest = content.get("run_manifest")
    if not isinstance(manifest, Mapping) or "settings" not in manifest or "backend" not in manifest:
        raise SettingsError(f"{path}: run_manifest lacks how candidates were graded; run the search again to write it")
    entries = [_parse_entry(item, f"{path}: best_rubrics[{i}]") for i, item in enumerate(content["best_rubrics"])]
    if not entries:
        raise SettingsError(f"{path}: has no rubric; every prompt of that search failed")
    return SearchExport(
        path=str(path),
        search=str(manifest.get("search", "")),
        entries={entry.prompt_id: entry for entry in entries},
        settings=_parse_settings(manifest["settings"], str(path)),
        backend=BackendName(manifest["backend"]["name"]),
        verifier_template=manifest.get("verifier_template"),
        method_version=str(manifest.get("method_version", "")),
    )


def _parse_entry(item: Any, item_path: str) -> ExportEntry:
    try:
        return ExportEntry.model_validate(item)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"{item_path}.{name}: {first['msg']}; if an earlier autosr wrote the export, without the prompts, "
            "run the search's command again: it writes a new export from the stored results"
        ) from error


def _parse_settings(values: Any, path: str) -> SearchRunSettings:
    try:
        return validate_settings(SearchRunSettings, values)
    except SettingsError as error:
        raise SettingsError(f"{path}: run_manifest.settings: {error}") from error

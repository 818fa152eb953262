"""The export of a search, read for use: rubrics, prompts, and how candidates were graded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from upath import UPath

from autosr_lib.domain.rubric import Rubric
from autosr_lib.errors import SettingsError
from autosr_lib.settings import BackendName, SearchRunSettings
from autosr_lib.settings_merge import validate_settings
from autosr_lib.storage.strict_json import JsonError, parse_json


class Which(StrEnum):
    """Which rubric of a prompt's entry grades."""

    RUBRIC = "rubric"
    """The one to use: its weights are fitted on all candidates, the hidden ones too."""
    MEASURED = "measured_rubric"
    """The one that the export's held-out figures belong to: it has not seen the hidden candidates."""
    INITIAL = "initial_rubric"
    """The first one, to compare with."""


class Entry(BaseModel):
    """What an export says of one prompt; what is not needed here is not read."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    prompt_id: str
    prompt: str
    rubric: Rubric
    measured_rubric: Rubric
    initial_rubric: Rubric
    candidate_scores: Mapping[str, float | None]
    hidden_candidates: frozenset[str]

    def chosen(self, which: Which) -> Rubric:
        """Return the rubric that is asked for."""
        rubric: Rubric = getattr(self, which.value)
        return rubric


@dataclass(frozen=True)
class Exported:
    """An export that is ready to be used."""

    where: str
    search: str
    entries: Mapping[str, Entry]
    settings: SearchRunSettings
    backend: BackendName
    """Who graded the candidates: `llm` or `heuristic`."""
    verifier_template: str | None
    """What the verifier was told, as it is written; None for heuristics."""
    method_version: str
    manifest: Mapping[str, Any] = field(repr=False, default_factory=dict)


def read_export(path: str | UPath) -> Exported:
    """Return the export in a file, local or in an object store.

    Raises:
        SettingsError: it cannot be read, is none, or is one of an earlier version that lacks what grading needs.
    """
    where = str(path)
    try:
        content = parse_json(UPath(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, JsonError, ValueError, ImportError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise SettingsError(f"{where}: cannot be read: {said}; allowed: the JSON that `autosr search` wrote") from error
    if not isinstance(content, Mapping) or not isinstance(content.get("best_rubrics"), list):
        raise SettingsError(f"{where}: has no best_rubrics; allowed: the JSON that `autosr search` wrote")
    manifest = content.get("run_manifest")
    if not isinstance(manifest, Mapping) or "settings" not in manifest or "backend" not in manifest:
        raise SettingsError(f"{where}: run_manifest does not say how candidates were graded; search again to write it")
    entries = [_entry(item, f"{where}: best_rubrics[{i}]") for i, item in enumerate(content["best_rubrics"])]
    if not entries:
        raise SettingsError(f"{where}: holds no rubric; every prompt of that search failed")
    return Exported(
        where=where,
        search=str(manifest.get("search", "")),
        entries={entry.prompt_id: entry for entry in entries},
        settings=_settings(manifest["settings"], where),
        backend=BackendName(manifest["backend"]["name"]),
        verifier_template=manifest.get("verifier_template"),
        method_version=str(manifest.get("method_version", "")),
        manifest=manifest,
    )


def _entry(item: Any, place: str) -> Entry:
    try:
        return Entry.model_validate(item)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"{place}.{name}: {first['msg']}; an export of an earlier autosr lacks the prompts: "
            "the search's command writes it anew, from what is stored"
        ) from error


def _settings(values: Any, where: str) -> SearchRunSettings:
    try:
        return validate_settings(SearchRunSettings, values)
    except SettingsError as error:
        raise SettingsError(f"{where}: run_manifest.settings: {error}") from error

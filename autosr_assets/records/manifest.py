"""The manifest of a run: all that its rubrics depend on, what they came to, and who made them."""

import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from upath import UPath

from autosr_assets.automation.run_tags import settings_fingerprint
from autosr_assets.steps.call_records import spent_on
from autosr_assets.steps.dataset import Origin
from autosr_assets.steps.search_steps import SearchSteps
from autosr_lib.llm.prompts import verifier_template
from autosr_lib.results.totals import Totals, totals_json
from autosr_lib.search.fingerprints import METHOD_VERSION
from autosr_lib.search.settings import InitializerStrategy

Manifest = Mapping[str, Any]

OF_THE_RUN = ("run_id", "at", "version", "git", "python", "packages", "spent")
"""What a manifest says of the run itself; all else is equal where the same thing is done again."""
_PACKAGES = ("dagster", "numpy", "openai", "pyarrow", "scipy")


def told(steps: SearchSteps) -> dict[str, Any]:
    """Return what a search is asked to do; no secret is among the settings."""
    preferences = steps.preferences
    origin = Origin.of_stored(steps.store, preferences.dataset_table)
    return {
        "search": steps.prefix,
        "dataset": preferences.settings.path,
        "dataset_name": preferences.table.rpartition("/")[0],
        "dataset_sha256": None if origin is None else origin.sha256,
        "preset_rubrics_sha256": _presets_sha256(steps),
        "structure": steps.structure.model_dump(mode="json"),
        "settings": steps.settings.model_dump(mode="json"),
        "dataset_settings": preferences.settings.model_dump(mode="json"),
        "settings_fingerprint": settings_fingerprint(steps.structure, steps.settings),
        "backend": {
            "name": str(steps.backend.name),
            "judge": str(preferences.backend.name),
            "roles": {**steps.backend.identity, "judge": preferences.backend.identity["judge"]},
        },
        "verifier_template": verifier_template(steps.settings.backend.llm) if steps.backend.client else None,
        "seed": steps.settings.seed,
        "method_version": METHOD_VERSION,
    }


def run_manifest(run_id: str, steps: SearchSteps, totals: Totals) -> dict[str, Any]:
    """Return the manifest of a run, as JSON has it."""
    known = {
        "run_id": run_id,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": version("autosr"),
        "git": git_commit(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        **told(steps),
        "rubrics_sha256": totals.rubrics_sha256,
        "totals": totals_json(totals),
        "spent": spent_on(steps.store, steps.prefix),
        "deterministic": totals.is_deterministic,
    }
    plain: dict[str, Any] = json.loads(json.dumps(known))
    return plain


def says_the_same(one: Manifest, other: Manifest) -> bool:
    """Return whether two manifests differ at most in who made them and when."""
    names = (one.keys() | other.keys()) - set(OF_THE_RUN)
    return all(one.get(name) == other.get(name) for name in names)


def git_commit() -> str | None:
    """Return the commit of the checkout, marked `-dirty` where it was changed, or None outside of one."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    folder = Path(__file__).resolve().parent
    try:
        said = subprocess.run(  # noqa: S603 - our own arguments, and whichever git there is
            command, cwd=folder, capture_output=True, text=True, timeout=10, check=False
        )
    except OSError:
        return None
    return said.stdout.strip() or None


def _presets_sha256(steps: SearchSteps) -> str | None:
    known = steps.settings.initializer
    if known.initializer_strategy is not InitializerStrategy.PRESET or known.preset_rubrics is None:
        return None
    return hashlib.sha256(UPath(known.preset_rubrics).read_bytes()).hexdigest()

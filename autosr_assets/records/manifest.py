"""The manifest of a run: everything that its rubrics depend on, its results, and when and by which code it was made."""

import hashlib
import json
import platform
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from upath import UPath

from autosr_assets.runtime.run_tags import settings_fingerprint
from autosr_lib.llm.templates import verifier_template
from autosr_lib.pipeline.call_records import search_usage
from autosr_lib.pipeline.dataset_storage import DatasetSource
from autosr_lib.pipeline.search_plan import SearchPlan
from autosr_lib.results.run_results import Manifest
from autosr_lib.results.totals import Totals, totals_json
from autosr_lib.search.fingerprints import METHOD_VERSION
from autosr_lib.search.settings import InitializerSettings, InitializerStrategy
from autosr_lib.settings import BackendName
from autosr_lib.storage.store import TableStore

RUN_FIELDS = ("run_id", "at", "version", "git", "python", "packages", "spent")
"""Fields that identify the run; all other fields are equal when the same search is repeated."""
_PACKAGES = ("dagster", "numpy", "openai", "pyarrow", "scipy")


def search_description(plan: SearchPlan, store: TableStore) -> dict[str, Any]:
    """Return everything that the result of a search depends on. The settings contain no secrets."""
    dataset = plan.dataset
    source = DatasetSource.of_stored(store, dataset.dataset_table)
    backend, judge = plan.settings.backend.resolved, dataset.settings.backend.resolved
    uses_models = backend is BackendName.LLM
    return {
        "search": plan.name,
        "dataset": dataset.settings.path,
        "dataset_name": dataset.name,
        "dataset_sha256": None if source is None else source.sha256,
        "preset_rubrics_sha256": _presets_sha256(plan.settings.initializer),
        "structure": plan.structure.model_dump(mode="json"),
        "settings": plan.settings.model_dump(mode="json"),
        "dataset_settings": dataset.settings.model_dump(mode="json"),
        "settings_fingerprint": settings_fingerprint(plan.structure, plan.settings),
        "backend": {
            "name": str(backend),
            "judge": str(judge),
            "roles": {**plan.identity, "judge": dataset.identity["judge"]},
        },
        "verifier_template": verifier_template(plan.settings.backend.llm) if uses_models else None,
        "seed": plan.settings.seed,
        "method_version": METHOD_VERSION,
    }


def run_manifest(run_id: str, plan: SearchPlan, store: TableStore, totals: Totals) -> dict[str, Any]:
    """Return the manifest of a run, with values of JSON types only."""
    manifest = {
        "run_id": run_id,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": version("autosr"),
        "git": git_commit(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        **search_description(plan, store),
        "rubrics_sha256": totals.rubrics_sha256,
        "totals": totals_json(totals),
        "spent": asdict(search_usage(store, plan.name)),
        "deterministic": totals.is_deterministic,
    }
    json_manifest: dict[str, Any] = json.loads(json.dumps(manifest))
    return json_manifest


def are_equivalent(first: Manifest, second: Manifest) -> bool:
    """Return whether two manifests differ at most in the fields that identify the run.

    >>> are_equivalent({"run_id": "4f2a", "seed": 0}, {"run_id": "9c01", "seed": 0})
    True
    """
    names = (first.keys() | second.keys()) - set(RUN_FIELDS)
    return all(first.get(name) == second.get(name) for name in names)


def git_commit() -> str | None:
    """Return the commit of the checkout, with the suffix `-dirty` if it has changes, or None outside of a checkout."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    folder = Path(__file__).resolve().parent
    try:
        process = subprocess.run(  # noqa: S603 - fixed arguments; git is found by PATH
            command, cwd=folder, capture_output=True, text=True, timeout=10, check=False
        )
    except OSError:
        return None
    return process.stdout.strip() or None


def _presets_sha256(settings: InitializerSettings) -> str | None:
    if settings.initializer_strategy is not InitializerStrategy.PRESET or settings.preset_rubrics is None:
        return None
    return hashlib.sha256(UPath(settings.preset_rubrics).read_bytes()).hexdigest()

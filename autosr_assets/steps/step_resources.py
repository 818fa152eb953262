"""What every step over prompts takes from the resources of its run."""

from typing import Any

from autosr_assets.resources import BACKENDS, HANDOVER, PROGRESS
from autosr_assets.runtime.graph_names import TABLES, dataset_settings_key, preferences_key
from autosr_assets.steps.search_steps import PreferenceStep

SHARED = (TABLES, BACKENDS, PROGRESS, HANDOVER)
"""Resources that every step over prompts uses."""


def preference_step(resources: Any, dataset: str) -> PreferenceStep:
    """Return the step that makes, and fingerprints, the preferences of a dataset; it also knows its candidates."""
    return PreferenceStep(
        getattr(resources, TABLES).store,
        "/".join(preferences_key(dataset).path),
        getattr(resources, dataset_settings_key(dataset)),
        getattr(resources, BACKENDS),
        getattr(resources, PROGRESS),
        getattr(resources, HANDOVER),
    )

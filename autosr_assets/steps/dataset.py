"""The parts of the asset `dataset` that need Dagster: partitions for its prompts, and metadata."""

from collections.abc import Sequence
from textwrap import shorten
from typing import Any

import dagster as dg

from autosr_assets.runtime.graph_names import prompts_of
from autosr_assets.views.metadata import table
from autosr_assets.views.rubric_text import cell
from autosr_lib.pipeline.dataset_storage import DatasetSummary

_KEYS_PER_REQUEST = 20_000
"""Dagster accepts at most 25,000 partition keys in one request."""


def register_prompts(instance: dg.DagsterInstance, name: str, keys: Sequence[str]) -> None:
    """Register the prompts of a dataset as partitions, in the order of the dataset.

    Args:
        instance: the instance of the run.
        name: name of the dataset.
        keys: partition keys of its prompts.
    """
    partitions = prompts_of(name).name
    assert partitions is not None  # noqa: S101 - `prompts_of` names its definition
    for start in range(0, len(keys), _KEYS_PER_REQUEST):
        instance.add_dynamic_partitions(partitions, keys[start : start + _KEYS_PER_REQUEST])


def dataset_metadata(summary: DatasetSummary) -> dict[str, Any]:
    """Return the metadata of the asset."""
    findings = summary.findings
    columns = {
        "prompt": "Id of the prompt.",
        "candidates": "Number of its candidates.",
        "text": "Beginning of its text.",
    }
    preview: list[dict[str, str | int]] = [
        {
            "prompt": prompt.prompt_id,
            "candidates": len(prompt.candidates),
            "text": shorten(prompt.prompt, 120, placeholder=" …"),
        }
        for prompt in summary.preview
    ]
    return {
        "dagster/row_count": findings.prompts + summary.withdrawn,
        "prompts": findings.prompts,
        "candidates": findings.candidates,
        "candidates_per_prompt": f"{findings.fewest_candidates} to {findings.most_candidates}",
        "sources": ", ".join(sorted(findings.sources)[:20]) or "not given",
        "withdrawn": summary.withdrawn,
        "rejected": len(findings.rejected),
        "sha256": findings.sha256,
        "path": dg.MetadataValue.path(summary.path),
        "faults": dg.MetadataValue.md(_markdown_list(findings.faults)),
        "warnings": dg.MetadataValue.md(_markdown_list(findings.warnings)),
        "preview": table(columns, preview),
    }


def _markdown_list(lines: Sequence[str], limit: int = 20) -> str:
    """Return the lines as a list in markdown, shortened to `limit` items."""
    if not lines:
        return "none"
    more = [f"- and {len(lines) - limit} more"] if len(lines) > limit else []
    return "\n".join([*(f"- {cell(line, 200)}" for line in lines[:limit]), *more])

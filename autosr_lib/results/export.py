"""The JSON of a search: the format of the original system, with further fields."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from upath import UPath

from autosr_lib.evaluation.holdout import MIN_CANDIDATES_FOR_OWN_FIGURE
from autosr_lib.results.outcomes import PromptOutcome
from autosr_lib.results.soundness import probe_rise
from autosr_lib.results.summary import SearchSummary
from autosr_lib.results.totals import Totals, holdout_json
from autosr_lib.search.probing import ProbeResult
from autosr_lib.storage.files import atomic_write, storage_errors, storage_path
from autosr_lib.storage.tables.best_rubrics import BestRubricRow
from autosr_lib.storage.tables.structs import RubricRows

DETAILS = ("criterion_type", "check_points", "positive_examples", "negative_examples", "measure")


def export_entry(prompt: str, row: BestRubricRow) -> dict[str, Any]:
    """Return the export's entry of a prompt that has a rubric, as JSON values; `prompt` is the prompt's text."""
    entry: dict[str, Any] = {
        "prompt_id": row.prompt_id,
        "prompt": prompt,
        "rubric": _rubric_json(row.rubric),
        "measured_rubric": _rubric_json(row.measured_rubric),
        "initial_rubric": _rubric_json(row.initial_rubric),
        "best_candidate_id": row.best_candidate_id,
        "candidate_scores": {score.candidate_id: score.score for score in row.candidate_scores},
        "hidden_candidates": [score.candidate_id for score in row.candidate_scores if score.is_hidden],
        "objective_score": row.best.objective,
        "initial_objective_score": row.initial.objective,
        "stopped": row.stopped,
        "status": row.status,
        "gamed_by": list(row.gamed_by),
        "probes": [_probe_json(probed) for probed in row.probes],
    }
    # The figure of a single prompt has few pairs and would be over-interpreted (docs/method.md §5).
    touching = row.holdout.touching
    if len(row.candidate_scores) >= MIN_CANDIDATES_FOR_OWN_FIGURE and touching.pairs:
        entry["holdout_accuracy"] = {
            "belongs_to": "measured_rubric",
            "pairs": touching.pairs,
            "initial": touching.initial / touching.pairs,
            "best": touching.best / touching.pairs,
        }
    return entry


def write_export(
    path: str | UPath, outcomes: Iterable[PromptOutcome], manifest: Callable[[Totals], Mapping[str, Any]]
) -> tuple[SearchSummary, Mapping[str, Any]]:
    """Write the JSON of a search and return its summary and manifest.

    Args:
        path: the file to write.
        outcomes: the outcome of each prompt; read once, with one in memory at a time.
        manifest: returns the manifest that belongs to the totals.

    Raises:
        StorageError: the file cannot be written; an existing file is then left as it is.
    """
    target = storage_path(path)
    summary = SearchSummary()
    totals = summary.totals
    scores: dict[str, float] = {}
    digest = hashlib.sha256()
    with storage_errors(target, "write"), atomic_write(target) as part, part.open("w", encoding="utf-8") as out:
        out.write('{\n"best_rubrics": [')
        separator = "\n"
        for outcome in outcomes:
            summary.add(outcome.row)
            if not isinstance(outcome.row, BestRubricRow):
                continue
            scores[outcome.row.prompt_id] = outcome.row.best.objective
            entry = _json(export_entry(outcome.prompt, outcome.row))
            digest.update(f"{entry}\n".encode("utf-8", "surrogatepass"))
            out.write(separator + entry)
            separator = ",\n"
        out.write("\n]")
        totals.rubrics_sha256 = digest.hexdigest()
        run_manifest = manifest(totals)
        remaining = {
            "best_objective_scores": scores,
            "best_scores": scores,
            "failed_prompts": totals.failed,
            "holdout_accuracy": holdout_json(totals.holdout),
            "run_manifest": run_manifest,
        }
        for name, value in remaining.items():
            out.write(f",\n{_json(name)}: {_json(value)}")
        out.write("\n}\n")
    return summary, run_manifest


def _probe_json(probed: ProbeResult) -> dict[str, Any]:
    return {
        "candidate_id": probed.candidate_id,
        "probe": probed.probe,
        "score": probed.score,
        "variant_score": probed.variant_score,
        "rise": probe_rise(probed),
    }


def _rubric_json(criteria: RubricRows) -> dict[str, Any]:
    """Return a rubric in the format of the original system, without empty details."""
    return {
        "criteria": [
            {"criterion_id": criterion.criterion_id, "text": criterion.text, "weight": criterion.weight}
            | {name: _plain(value) for name in DETAILS if (value := getattr(criterion, name))}
            for criterion in criteria
        ]
    }


def _plain(value: str | tuple[str, ...]) -> str | list[str]:
    return list(value) if isinstance(value, tuple) else value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)

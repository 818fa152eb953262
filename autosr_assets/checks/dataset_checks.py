"""The checks of a dataset and its preferences. Each run has one result over all prompts, which names the prompts at fault."""

from collections.abc import Iterator, Mapping
from textwrap import shorten
from typing import Any

import dagster as dg

from autosr_assets.runtime.graph_names import TABLES, candidates_key, dataset_key, dataset_settings_key, preferences_key
from autosr_assets.steps.runners import RUN_RESOURCES, dataset_runner
from autosr_assets.views.metadata import table
from autosr_lib.domain.prompt import Prompt
from autosr_lib.pipeline.prompts import present_prompt_ids
from autosr_lib.results.soundness import (
    MOST_FLIPS,
    MOST_INTRANSITIVE,
    Consistency,
    repeated_text_fault,
    tail_fault,
)
from autosr_lib.settings import DatasetRunSettings
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.store import StoredTable, TableStore
from autosr_lib.storage.table_names import TableName
from autosr_lib.storage.tables.columns import Status, read_status
from autosr_lib.storage.tables.preferences import PREFERENCE_COLUMNS, read_preferences
from autosr_lib.storage.tables.prompts import read_stored_prompts

MOST_NAMED = 20
"""Largest number of prompts that a result names; the others are only counted."""


def faults_metadata(faults: Mapping[str, str]) -> dict[str, Any]:
    """Return the metadata of a check: the number of prompts at fault, and a table of the first ones.

    Args:
        faults: description of the fault by prompt id.

    >>> faults_metadata({})
    {'prompts_at_fault': 0}
    """
    if not faults:
        return {"prompts_at_fault": 0}
    rows = [
        {"prompt": prompt_id, "what is wrong": shorten(fault, 300, placeholder=" …")}
        for prompt_id, fault in list(faults.items())[:MOST_NAMED]
    ]
    if (more := len(faults) - MOST_NAMED) > 0:
        rows.append({"prompt": "…", "what is wrong": f"and {more} more"})
    columns = {"prompt": "Id of the prompt.", "what is wrong": "The fault, with its figures."}
    return {"prompts_at_fault": len(faults), "at_fault": table(columns, rows)}


def dataset_checks(name: str, *, is_sampled: bool = False) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a dataset and its preferences.

    Args:
        name: name of the dataset.
        is_sampled: whether models sample candidates; the checks of candidates are then run after sampling.
    """
    asset = candidates_key(name) if is_sampled else dataset_key(name)
    return [_no_repeated_texts(name, asset), _enough_tail_candidates(name, asset), _preferences_are_consistent(name)]


def _no_repeated_texts(name: str, asset: dg.AssetKey) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=asset,
        name="no_candidate_texts_repeat",
        description="No prompt has two candidates with the same text; they would be judged as two different responses.",
        required_resource_keys={dataset_settings_key(name), *RUN_RESOURCES},
    )
    def no_candidate_texts_repeat(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        faults = {
            prompt.prompt_id: fault
            for prompt in _prompts(context, name)
            if (fault := repeated_text_fault(prompt)) is not None
        }
        return dg.AssetCheckResult(
            passed=not faults, severity=dg.AssetCheckSeverity.WARN, metadata=faults_metadata(faults)
        )

    return no_candidate_texts_repeat


def _enough_tail_candidates(name: str, asset: dg.AssetKey) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=asset,
        name="enough_tail_candidates",
        description="Every prompt has two visible candidates that differ in text and label. This is a warning if at least "
        "one prompt has them. If none has, there is nothing to search: an error, and sensors start no search.",
        blocking=asset == dataset_key(name),  # sampled candidates are made prompt by prompt, in the run of the search
        required_resource_keys={dataset_settings_key(name), *RUN_RESOURCES},
    )
    def enough_tail_candidates(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        settings: DatasetRunSettings = getattr(context.resources, dataset_settings_key(name))
        faults: dict[str, str] = {}
        count = 0
        for prompt in _prompts(context, name):
            count += 1
            if (fault := tail_fault(prompt, settings.holdout, settings.reference)) is not None:
                faults[prompt.prompt_id] = fault
        severity = dg.AssetCheckSeverity.ERROR if len(faults) == count else dg.AssetCheckSeverity.WARN
        return dg.AssetCheckResult(
            passed=not faults, severity=severity, metadata={"prompts": count, **faults_metadata(faults)}
        )

    return enough_tail_candidates


def _preferences_are_consistent(name: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=preferences_key(name),
        name="preferences_are_consistent",
        description=f"Over all prompts, the order of presentation changes the verdict on at most {MOST_FLIPS:.0%} of the "
        f"judged pairs, and at most {MOST_INTRANSITIVE:.0%} of the triples of candidates are cycles.",
        required_resource_keys={TABLES},
    )
    def preferences_are_consistent(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        table = TableName.preferences(name)
        consistency, faults = Consistency(), dict[str, str]()
        for prompt_id in present_prompt_ids(_dataset(context, name)):
            rows = _store(context).read(table, partition_key(prompt_id), PREFERENCE_COLUMNS)
            if rows is None or read_status(rows) not in (Status.DONE, Status.INCOMPLETE):
                continue
            if (fault := consistency.add(read_preferences(rows))) is not None:
                faults[prompt_id] = fault
        figures = {"flip_rate": consistency.flip_rate, "intransitive_share": consistency.intransitive_share}
        return dg.AssetCheckResult(
            passed=consistency.is_consistent,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "judged_pairs": consistency.judged,
                **{figure: value for figure, value in figures.items() if value is not None},
                **faults_metadata(faults),
            },
        )

    return preferences_are_consistent


def _prompts(context: dg.AssetCheckExecutionContext, name: str) -> Iterator[Prompt]:
    """Yield the prompts that are in the dataset, with their sampled candidates; a few hundred are in memory at a time."""
    dataset, samples = _dataset(context, name), dataset_runner(context.resources, name).samples
    for rows in dataset.read_where("prompt_id", present_prompt_ids(dataset)):
        yield from (samples.add_to(prompt) for prompt, _ in read_stored_prompts(rows))


def _dataset(context: dg.AssetCheckExecutionContext, name: str) -> StoredTable:
    return _store(context).stored(TableName.dataset(name))


def _store(context: dg.AssetCheckExecutionContext) -> TableStore:
    store: TableStore = getattr(context.resources, TABLES).store
    return store

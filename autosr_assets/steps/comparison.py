"""The step of the asset `comparison`: the results of searches over one dataset, paired by prompt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pyarrow as pa

from autosr_assets.views.rubric_text import cell
from autosr_lib.domain.wording import plural
from autosr_lib.errors import StorageError
from autosr_lib.evaluation.holdout import PairCount, PairSummary, summarise_pairs
from autosr_lib.pipeline.call_records import Usage, search_usage
from autosr_lib.pipeline.prompts import present_prompt_ids
from autosr_lib.results.comparison import Comparison, compare_results
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.table_names import TableName
from autosr_lib.storage.tables.best_rubrics import RESULT_COLUMNS, read_prompt_result
from autosr_lib.storage.tables.run_results import PromptResult, comparison_table

_EXPLANATION = (
    "Accuracy of the best rubrics on held-out pairs, with 95% intervals over prompts. Differences are paired: they are "
    "measured on the same pairs of the same prompts. *Unseen* pairs consist of two hidden candidates; trust these. "
    "*Touching* pairs have at least one hidden candidate, so a rubric that remembers the visible ones looks better on them. "
    "Objectives are not compared, since they only rank the rubrics of one prompt."
)


@dataclass(frozen=True)
class SearchResults:
    """The results of one search for the prompts of the dataset."""

    name: str
    results: Sequence[PromptResult]
    """The result of each prompt that has a row."""
    rubrics: int
    """Number of prompts that have a rubric."""
    unseen: PairSummary | None
    """Accuracy over pairs of two hidden candidates."""
    touching: PairSummary | None
    """Accuracy over pairs with at least one hidden candidate."""
    calls: int
    """Number of calls of the search for these rubrics."""
    spent: Usage
    """Usage of all recorded runs of the search."""


@dataclass(frozen=True)
class ComparedSearches:
    """The results of searches over one dataset, and their differences from the first search."""

    prompts: int
    """Number of prompts in the dataset."""
    searches: Sequence[SearchResults]
    differences: Mapping[str, Comparison]
    """The difference of each search except the first from the first, by name."""


def compare_searches(store: TableStore, dataset: str, searches: Sequence[str]) -> ComparedSearches:
    """Return the results of searches for the prompts that are in the dataset, and their differences.

    Raises:
        StorageError: the dataset is not stored, or a search has no rubric for its prompts.
    """
    prompt_ids = present_prompt_ids(store.stored(TableName.dataset(dataset)))
    results = [_results(store, name, prompt_ids) for name in searches]
    first = results[0]
    differences = {search.name: compare_results(first.results, search.results) for search in results[1:]}
    return ComparedSearches(len(prompt_ids), results, differences)


def compared_table(compared: ComparedSearches) -> pa.Table:
    """Return the results of all searches as one table."""
    return comparison_table({search.name: search.results for search in compared.searches})


def comparison_metadata(compared: ComparedSearches) -> dict[str, Any]:
    """Return the metadata of the asset."""
    metadata: dict[str, Any] = {
        "comparison": dg.MetadataValue.md(comparison_markdown(compared)),
        "prompts": compared.prompts,
    }
    for search in compared.searches:
        metadata |= {f"{search.name}_calls": search.calls, f"{search.name}_cost": search.spent.cost}
        for pool, summary in (("unseen", search.unseen), ("touching", search.touching)):
            if summary is not None:
                metadata[f"{search.name}_{pool}_accuracy"] = summary.best.value
    for name, difference in compared.differences.items():
        metadata[f"{name}_prompts_compared"] = difference.paired
        for pool, summary in (("unseen", difference.unseen), ("touching", difference.touching)):
            if summary is not None:
                metadata |= {f"{name}_{pool}_{part}": value for part, value in summary.gain._asdict().items()}
    return metadata


def comparison_markdown(compared: ComparedSearches) -> str:
    """Return the comparison as two tables in markdown: each search, and its difference from the first."""
    first = compared.searches[0]
    searches = [
        f"| {cell(search.name)} | {search.rubrics} of {compared.prompts} | {_accuracy(search.unseen)} "
        f"| {_accuracy(search.touching)} | {search.calls:,} | {search.spent.tokens:,} "
        f"| ${search.spent.cost:,.2f} |"
        for search in compared.searches
    ]
    differences = [
        f"| {cell(name)} − {cell(first.name)} | {_difference(difference.unseen)} | {_difference(difference.touching)} "
        f"| {difference.paired} of {compared.prompts} |"
        for name, difference in compared.differences.items()
    ]
    return "\n".join(
        [
            "| search | rubrics | unseen pairs | touching pairs | calls | tokens | cost |",
            "|---|---:|---:|---:|---:|---:|---:|",
            *searches,
            "",
            "| difference, in points | unseen pairs | touching pairs | prompts compared |",
            "|---|---:|---:|---:|",
            *differences,
            "",
            _EXPLANATION,
        ]
    )


def _results(store: TableStore, search: str, prompt_ids: Sequence[str]) -> SearchResults:
    keys = map(partition_key, prompt_ids)
    results = [read_prompt_result(rows) for _, rows in store.scan(TableName.best_rubrics(search), RESULT_COLUMNS, keys)]
    figures = [result.figures for result in results if result.figures is not None]
    if not figures:
        raise StorageError(f"{search}: no rubric is stored for the prompts of the dataset; search first")
    return SearchResults(
        name=search,
        results=results,
        rubrics=len(figures),
        unseen=summarise_pairs(
            [PairCount(result.unseen_pairs, result.unseen_best, result.unseen_best) for result in figures]
        ),
        touching=summarise_pairs(
            [PairCount(result.holdout_pairs, result.holdout_best, result.holdout_best) for result in figures]
        ),
        calls=sum(result.calls for result in figures),
        spent=search_usage(store, search),
    )


def _accuracy(summary: PairSummary | None) -> str:
    return "" if summary is None else str(summary.best)


def _difference(summary: PairSummary | None) -> str:
    return "" if summary is None else f"{summary.gain.in_points} ({plural(summary.pairs, 'pair')})"

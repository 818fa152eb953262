"""What the asset `comparison` does: searches over one dataset, side by side and paired prompt by prompt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pyarrow as pa

from autosr_assets.views.metadata import cell
from autosr_lib.errors import StorageError
from autosr_lib.evaluation.holdout import PairCount, PairSummary, summarise_pairs
from autosr_lib.pipeline.call_records import Usage, search_usage
from autosr_lib.pipeline.prompts import present_prompt_ids
from autosr_lib.results.comparison import Comparison, compare
from autosr_lib.results.run_results import BEST_COLUMNS, RESULTS, has_rubric, result_of
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.rows import Row
from autosr_lib.storage.store import TableStore

_EXPLAINED = (
    "Accuracy of the best rubrics on held-out pairs, with 95% intervals over prompts; differences are paired, on the same "
    "pairs of the same prompts. *Unseen* pairs are of two hidden candidates and the ones to trust; *touching* pairs have "
    "one at least, and flatter a rubric that remembers. Objectives are not compared: they rank rubrics of one prompt and "
    "are no accuracy."
)

COMPARISON = pa.schema([pa.field("search", pa.string(), metadata={"description": "The search."}), *RESULTS])
"""The table of a comparison: one row is one prompt in one search."""


@dataclass(frozen=True)
class SearchResults:
    """One search over the prompts of the dataset."""

    name: str
    rows: Sequence[Row]
    """The result of each prompt that it has a row for."""
    done: int
    """Prompts that it has a rubric for."""
    unseen: PairSummary | None
    """Its accuracy over pairs of two hidden candidates."""
    touching: PairSummary | None
    """Its accuracy over pairs that touch a hidden candidate."""
    calls: int
    spent: Usage


@dataclass(frozen=True)
class Compared:
    """Searches over one dataset; the first is what the others are compared with."""

    prompts: int
    searches: Sequence[SearchResults]
    differences: Mapping[str, Comparison]
    """By search, all but the first, how it differs from the first."""


def compare_searches(store: TableStore, dataset: str, searches: Sequence[str]) -> Compared:
    """Return what searches over a dataset have found, over the prompts that have not left it.

    Raises:
        StorageError: the dataset is not stored, or a search has no row.
    """
    prompts = present_prompt_ids(store.stored(f"{dataset}/dataset"))
    known = [_results(store, name, prompts) for name in searches]
    first = known[0]
    return Compared(len(prompts), known, {one.name: compare(first.rows, one.rows) for one in known[1:]})


def comparison_table(found: Compared) -> pa.Table:
    """Return the results of all searches as one table."""
    return pa.Table.from_pylist([{"search": one.name, **row} for one in found.searches for row in one.rows], COMPARISON)


def comparison_metadata(found: Compared) -> dict[str, Any]:
    """Return what the asset publishes."""
    metadata: dict[str, Any] = {"comparison": dg.MetadataValue.md(comparison_markdown(found)), "prompts": found.prompts}
    for one in found.searches:
        metadata |= {f"{one.name}_calls": one.calls, f"{one.name}_cost": one.spent.cost}
        for which, summary in (("unseen", one.unseen), ("touching", one.touching)):
            if summary is not None:
                metadata[f"{one.name}_{which}_accuracy"] = summary.best.value
    for name, difference in found.differences.items():
        metadata[f"{name}_prompts_compared"] = difference.paired
        for which, summary in (("unseen", difference.unseen), ("touching", difference.touching)):
            if summary is not None:
                metadata |= {f"{name}_{which}_{part}": value for part, value in summary.gain._asdict().items()}
    return metadata


def comparison_markdown(found: Compared) -> str:
    """Return the comparison as two tables to read: each search, and each against the first."""
    first = found.searches[0]
    each = [
        f"| {cell(one.name)} | {one.done} of {found.prompts} | {_accuracy(one.unseen)} | {_accuracy(one.touching)} "
        f"| {one.calls:,} | {one.spent.tokens:,} | ${one.spent.cost:,.2f} |"
        for one in found.searches
    ]
    against = [
        f"| {cell(name)} − {cell(first.name)} | {_difference(one.unseen)} | {_difference(one.touching)} "
        f"| {one.paired} of {found.prompts} |"
        for name, one in found.differences.items()
    ]
    return "\n".join(
        [
            "| search | rubrics | unseen pairs | touching pairs | calls | tokens | cost |",
            "|---|---:|---:|---:|---:|---:|---:|",
            *each,
            "",
            "| difference, in points | unseen pairs | touching pairs | prompts compared |",
            "|---|---:|---:|---:|",
            *against,
            "",
            _EXPLAINED,
        ]
    )


def _results(store: TableStore, search: str, prompts: Sequence[str]) -> SearchResults:
    keys = map(partition_key, prompts)
    rows = [
        result_of(row)
        for _, table in store.scan(f"{search}/best_rubrics", BEST_COLUMNS, keys)
        for row in table.to_pylist()
    ]
    known = [row for row in rows if has_rubric(row)]
    if not known:
        raise StorageError(f"{search}: no rubric is stored for the prompts of the dataset; search first")
    unseen = [PairCount(row["unseen_pairs"], row["unseen_best"], row["unseen_best"]) for row in known]
    touching = [PairCount(row["holdout_pairs"], row["holdout_best"], row["holdout_best"]) for row in known]
    calls = sum(row["calls"] for row in known)
    spent = search_usage(store, search)
    return SearchResults(search, rows, len(known), summarise_pairs(unseen), summarise_pairs(touching), calls, spent)


def _accuracy(summary: PairSummary | None) -> str:
    return "" if summary is None else str(summary.best)


def _difference(summary: PairSummary | None) -> str:
    return "" if summary is None else f"{summary.gain.in_points} ({summary.pairs} pairs)"

"""The pending work of a search: prompts whose best rubric is missing, failed, stale or incomplete."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from autosr_lib.domain.fingerprint import fingerprint
from autosr_lib.pipeline.prompts import read_prompts
from autosr_lib.pipeline.sampled_candidates import SampledCandidates
from autosr_lib.pipeline.search_plan import SearchPlan
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.tables.columns import RowStatus, Status, read_row_status
from autosr_lib.storage.tables.prompts import StoredPrompt, read_prompt_ids

MISSING, STALE = "missing", "stale"
"""A row that does not exist; a row that was computed from other inputs than today's."""
KINDS = (MISSING, Status.FAILED, STALE, Status.INCOMPLETE, Status.DONE, Status.WITHDRAWN)


@dataclass
class PendingWork:
    """The prompts of a search, by the kind of their pending work."""

    counts: Counter[str] = field(default_factory=Counter)
    """Number of prompts of each of `KINDS`."""
    keys: set[str] = field(default_factory=set)
    """Partition keys of the prompts that are not done."""
    rows: list[list[str | None]] = field(default_factory=list)
    """(prompt id, status, input fingerprint) of the stored best rubrics, in the order of the dataset."""

    @property
    def content(self) -> str:
        """Return the digest of `rows`; if it differs from that of an export, a new export would differ too."""
        return fingerprint(self.rows)

    @property
    def prompt_keys(self) -> list[str]:
        """Return the partition keys of all prompts, in the order of the dataset."""
        return [partition_key(str(row[0])) for row in self.rows]


def pending_work(plan: SearchPlan, store: TableStore, prompts: Iterable[StoredPrompt]) -> PendingWork:
    """Return the pending work for these prompts.

    Only the table of best rubrics is read: its input fingerprints cover all earlier tables.
    """
    work, samples = PendingWork(), SampledCandidates(plan.dataset, store)
    stored_keys = set(store.keys(plan.best_table))
    for prompt, is_withdrawn in prompts:
        if is_withdrawn:
            work.counts[Status.WITHDRAWN] += 1
            continue
        key = partition_key(prompt.prompt_id)
        rows = store.read(plan.best_table, key, RowStatus._fields) if key in stored_keys else None
        row = None if rows is None else read_row_status(rows)
        status, stored_fingerprint = (None, None) if row is None else (row.status, row.input_fingerprint)
        work.rows.append([prompt.prompt_id, status, stored_fingerprint])
        is_current = stored_fingerprint == plan.fingerprints(samples.add_to(prompt))[-1]
        kind = _kind(status, is_current=is_current)
        work.counts[kind] += 1
        if kind != Status.DONE:
            work.keys.add(key)
    return work


def stored_pending_work(plan: SearchPlan, store: TableStore) -> PendingWork:
    """Return the pending work for the prompts of the stored dataset."""
    dataset = store.stored(plan.dataset.dataset_table)
    ids = read_prompt_ids(dataset.read(["prompt_id"]))
    return pending_work(plan, store, read_prompts(dataset, map(partition_key, ids)))


def _kind(status: str | None, *, is_current: bool) -> str:
    if status is None or status == Status.WITHDRAWN:  # a withdrawn prompt that has come back
        return MISSING
    if status == Status.FAILED:
        return Status.FAILED
    return status if is_current else STALE

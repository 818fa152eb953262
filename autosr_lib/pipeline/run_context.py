"""What the steps of one run share."""

from dataclasses import dataclass, field

from autosr_lib.pipeline.backend_pool import BackendPool
from autosr_lib.pipeline.progress import NoProgress, Progress
from autosr_lib.pipeline.row_cache import RowCache
from autosr_lib.storage.store import TableStore


@dataclass(frozen=True)
class RunContext:
    """The tables, backends, progress and cache of one run."""

    store: TableStore
    backends: BackendPool = field(default_factory=BackendPool)
    progress: Progress = field(default_factory=NoProgress)
    cache: RowCache = field(default_factory=RowCache)

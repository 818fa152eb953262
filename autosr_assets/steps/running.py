"""A step over prompts, run in an event loop of its own."""

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from autosr_assets.resources import Backends
from autosr_assets.runtime.interrupts import run_until_complete
from autosr_assets.steps.call_records import keep_calls
from autosr_assets.steps.prompt_rows import Filled
from autosr_lib.backends import Backend
from autosr_lib.storage.store import TableStore


def run_with(
    backend: Backend,
    backends: Backends,
    store: TableStore,
    table: str,
    filling: Coroutine[Any, Any, Filled],
    pool: Sequence[str] = (),
) -> Filled:
    """Return what became of a step's prompts, after running it in an event loop in which the backend is open.

    The calls that it took are kept, also when it fails. `pool` names the models that answer prompts, if the step asks
    them.
    """

    async def step() -> Filled:
        async with backend.session(pool):
            return await filling

    used: Mapping[str, Mapping[str, Any]] = {}
    try:
        filled = run_until_complete(step())
    finally:
        filling.close()
        used = keep_calls(backend, store, backends.run_id, table)
    filled.used.update(used)
    return filled

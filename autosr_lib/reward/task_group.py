"""Running coroutines at the same time so that the first failure stops the others."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def gather_or_cancel(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Return the results in order; the first exception cancels the other coroutines and is raised alone.

    Unlike with `asyncio.gather`, nothing more is spent after a failure.

    >>> async def double(number: int) -> int:
    ...     return 2 * number
    >>> asyncio.run(gather_or_cancel(double(number) for number in (1, 2)))
    [2, 4]
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in coroutines]
    except BaseExceptionGroup as group_error:
        raise _first_error(group_error) from group_error
    return [task.result() for task in tasks]


def _first_error(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

"""Many calls with a bound on how many at a time, and on how many may fail.

Source:
    dx.md section 1.3 (completion policies).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar, overload

from flowser.exceptions import InvalidArgument

T = TypeVar("T")
R = TypeVar("R")


@overload
async def amap(
    function: Callable[[T], Awaitable[R]],
    items: Iterable[T],
    *,
    limit: int | None = None,
) -> list[R]: ...
@overload
async def amap(
    function: Callable[[T], Awaitable[R]],
    items: Iterable[T],
    *,
    limit: int | None = None,
    tolerate: int,
) -> list[R | Exception]: ...
async def amap(
    function: Callable[[T], Awaitable[R]],
    items: Iterable[T],
    *,
    limit: int | None = None,
    tolerate: int = 0,
) -> list[Any]:
    """Call *function* with each item, so many at a time.

    ::

        thumbs = await flow.amap(resize, images, limit=50)

    Args:
        function: An activity, a workflow, or any async function of one argument.
        items: What it is called with.
        limit: How many calls are open at a time; None for all.
        tolerate: How many calls may fail. The exceptions of those that did stand among
            the results; one more, and the others are canceled and it is raised.

    Returns:
        The results in the order of the items.

    Raises:
        ExceptionGroup: Of all that was raised, when too many calls failed.
        InvalidArgument: When the limit is below 1, or *tolerate* below 0.
        TypeError: When there is no function, or no items.
    """
    if limit is not None:
        _check("limit", limit, 1)
    _check("tolerate", tolerate, 0)
    things = list(items)
    results: dict[int, R | Exception] = {}
    failed: list[Exception] = []
    rest = iter(enumerate(things))

    async def work() -> None:
        for index, item in rest:
            try:
                results[index] = await function(item)
            except Exception as error:  # noqa: BLE001 - a function may raise anything
                results[index] = error
                failed.append(error)
                if len(failed) > tolerate:
                    raise _TooMany from None

    workers = len(things) if limit is None else min(limit, len(things))
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(work())
    except* _TooMany:
        words = f"{len(failed)} of {len(things)} calls failed"
        raise ExceptionGroup(words, failed) from None
    return [results[index] for index in range(len(things))]


def _check(name: str, given: Any, least: int) -> None:
    if not (isinstance(given, int) and given >= least):
        raise InvalidArgument(name, f"is {given!r}", f"give {least} or more")


class _TooMany(Exception):
    """More calls failed than are tolerated."""

"""What activities depend on: connection pools, clients, settings.

A worker's ``lifespan`` makes them and ends them. A context variable carries them, so
that handlers in threads have them too, and workers in one process do not share them.

Source:
    issue 4 section 1; dx.md section 1.1 (dependencies).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, overload

from flowser.exceptions import InvalidArgument

T = TypeVar("T")

_provided: ContextVar[Any] = ContextVar("flowser.deps")


@overload
def deps() -> Any: ...
@overload
def deps(kind: type[T]) -> T: ...
def deps(kind: Any = None) -> Any:
    """Give what the worker's ``lifespan`` made; for activities and steps.

    ::

        @contextlib.asynccontextmanager
        async def lifespan(domain):
            async with aiohttp.ClientSession() as session:
                yield session

        @flow.activity(version="1.0", task_list="pages")
        async def fetch(url: str) -> str:
            async with flowser.deps(aiohttp.ClientSession).get(url) as answer:
                return await answer.text()

        flowser.Worker(domain, lifespan=lifespan)

    Workflow code has none: what it reads would not be the same again in a replay.

    Args:
        kind: What it is expected to be, for the type checker too; None for anything.

    Raises:
        LookupError: When nothing was provided: there is no lifespan, or this is no
            handler; in a test, use :func:`providing`.
        InvalidArgument: When it is something else.
    """
    try:
        found = _provided.get()
    except LookupError:
        words = "nothing is provided here: give the worker a lifespan"
        raise LookupError(f"{words}, or use flowser.providing(...)") from None
    if kind is not None and not isinstance(found, kind):
        problem = f"is {type(found).__qualname__}, not {kind.__qualname__}"
        raise InvalidArgument("deps", problem, "see what the lifespan yields")
    return found


def provide(value: Any) -> None:
    """Let :func:`deps` give something from now on, in this context."""
    _provided.set(value)


@contextmanager
def providing(value: Any) -> Iterator[None]:
    """Let :func:`deps` give something in a block: in a unit test, say.

    Args:
        value: It.
    """
    token = _provided.set(value)
    try:
        yield
    finally:
        _provided.reset(token)

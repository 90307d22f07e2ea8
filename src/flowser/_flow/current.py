"""The run whose code is running."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from flowser.exceptions import Error
from flowser.replay._loop import Loop
from flowser.replay.state import State

R = TypeVar("R")

_get_running_loop = asyncio._get_running_loop  # noqa: SLF001 - it raises nothing

#: What a call gives: a coroutine, for task groups take nothing less. Not of any type
#: whatever in its first two places: mypy would take a ``gather`` of two for anything.
Called = Coroutine[object, None, R]


class NotInWorkflow(Error, RuntimeError):
    """Something that only workflow code can do was asked for elsewhere.

    Attributes:
        what: What it was.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"{self.what} means something in workflow code only"


def current() -> State | None:
    """Give the run whose code is running; None elsewhere."""
    loop: Any = _get_running_loop()
    return loop.run if loop.__class__ is Loop else None


def needed(what: str) -> State:
    """Give the run whose code is running.

    Raises:
        NotInWorkflow: When none is.
    """
    run = current()
    if run is None:
        raise NotInWorkflow(what)
    return run

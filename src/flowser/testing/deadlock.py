"""What is said when nothing can happen any more: which tasks wait, and where."""

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import anyio

from flowser.exceptions import Error

#: Tasks that are named, at most.
_MOST = 20

#: Whose frames tell less than those of who called them.
_INNER = (
    *(str(Path(package.__file__ or "").parent) for package in (asyncio, anyio)),
    str(Path(__file__).parents[1]),
)

_NEVER = (
    "nothing will ever happen: no timer runs, every poller waits, and these tasks "
    "wait for one another, or for nobody"
)
_SKIP = "nothing happens while the clock stands: move it by skip(). These tasks wait"


class Deadlock(Error):
    """All tasks wait, and time would bring nothing.

    It comes out of the event loop itself, as if by Ctrl-C: in ``asyncio.run``, or as
    the failure of a test.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, waits_for_skip: bool
    ) -> None:
        """Describe the tasks of a loop.

        Args:
            loop: The loop.
            waits_for_skip: Whether its clock goes on only when it is told to.
        """
        tasks = sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name())
        named = [_line(task) for task in itertools.islice(tasks, _MOST)]
        if len(tasks) > _MOST:
            named.append(f"  and {len(tasks) - _MOST} more")
        words = _SKIP if waits_for_skip else _NEVER
        super().__init__("\n".join([f"{words}:", *named]))


def _line(task: asyncio.Task[Any]) -> str:
    frames = list(_frames(task.get_coro()))
    outer = [f for f in frames if not f.f_code.co_filename.startswith(_INNER)]
    where = (outer or frames)[-1:]
    places = (
        f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
        for frame in where
    )
    return f"  {task.get_name()}: {next(places, 'nowhere')}"


def _frames(waiting: Any) -> Iterator[FrameType]:
    """Go from a coroutine to what it awaits, and so on."""
    while waiting is not None:
        for kind in ("cr", "gi", "ag"):
            frame = getattr(waiting, f"{kind}_frame", None)
            if frame is not None:
                yield frame
        waiting = getattr(waiting, "cr_await", None) or getattr(
            waiting, "gi_yieldfrom", None
        )

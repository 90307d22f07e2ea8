"""Where workflow code is: of one call, and of all tasks of a run.

Frames are looked at, never read from disk: a place is a file, a line and a function.
"""

import sys
from collections.abc import Iterable, Iterator
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

from flowser.replay._futures import Task

if TYPE_CHECKING:
    from flowser.replay.calls import Call

#: Frames of these are not an author's.
_OURS = ("flowser.replay", "flowser._flow", "flowser.flow", "asyncio", "anyio")

#: How many frames of a task are shown.
_DEEPEST = 50


class Place(NamedTuple):
    """A place in workflow code.

    Attributes:
        code: Of the function.
        line: In its file.
        task: The path of the task.
    """

    code: CodeType
    line: int
    task: str

    def __str__(self) -> str:
        file = "/".join(self.code.co_filename.replace("\\", "/").split("/")[-2:])
        words = f"{file}:{self.line} in {self.code.co_name}"
        return f"{words} (task {self.task})" if self.task else words


def here(task: Task | None) -> Place | None:
    """Say where workflow code makes the call that led here; None when none does.

    A task that is nothing but an activity is where the one waits that created it.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - who calls
    while frame is not None:
        if not _is_ours(frame):
            path = "" if task is None else task.path
            return Place(frame.f_code, frame.f_lineno, path)
        if frame.f_code.co_name == "drain":
            break
        frame = frame.f_back
    return None if task is None else _creator(task)


def _creator(task: Task) -> Place | None:
    """Say where the task waits that created another one."""
    loop: Any = task.get_loop()
    path = task.path.rpartition(".")[0]
    for other in loop.tasks:
        if other is not task and other.path == path:
            found = [p for p, ours in places_of(other.get_coro()) if not ours]
            return found[-1]._replace(task=task.path) if found else None
    return None


def raised(error: BaseException | None) -> Place | None:
    """Say where workflow code raised an exception; None when none did."""
    found = None
    while error is not None:
        frames = error.__traceback__
        while frames is not None:
            if not _is_ours(frames.tb_frame):
                found = Place(frames.tb_frame.f_code, frames.tb_lineno, "")
            frames = frames.tb_next
        error = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else None
    return found


def _is_ours(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__", "")
    return any(name == ours or name.startswith(f"{ours}.") for ours in _OURS)


def stack(tasks: "Iterable[Task | Call]") -> str:
    """Describe where every task waits, innermost call last, as tracebacks do."""
    alive = (task for task in tasks if not task.done())
    return "\n".join(line for task in alive for line in _task(task))


def _task(task: "Task | Call") -> Iterator[str]:
    waits: Any = getattr(task, "_fut_waiter", None)
    told = getattr(waits, "kind", None)
    what = f" waits for {told} {waits.name} ({waits.id})" if told else ""
    name = task.get_name()
    path = f"task {task.path}" if task.path else "main task"
    words = path if name in (path, "task ") else f"{path} {name!r}"
    yield f"{words}{what}"
    places = list(places_of(task.get_coro()))
    shown = [place for place in places if not place[1]] or places
    for place, _ in shown:
        yield f"  {place}"


def places_of(coro: Any) -> Iterator[tuple[Place, bool]]:
    """Follow a coroutine down to where it waits; tell which places are not an author's.

    Args:
        coro: A coroutine, a generator, or an async generator.
    """
    for _ in range(_DEEPEST):
        for prefix in ("cr", "gi", "ag"):
            frame = getattr(coro, f"{prefix}_frame", None)
            if frame is not None:
                yield Place(frame.f_code, frame.f_lineno, ""), _is_ours(frame)
                inner = "gi_yieldfrom" if prefix == "gi" else f"{prefix}_await"
                coro = getattr(coro, inner, None)
                break
        else:
            return

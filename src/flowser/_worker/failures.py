"""What is told of an exception: a reason, and details.

Source:
    swf-semantics.md section 1.5 (256 and 32,768 characters).
"""

import asyncio
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import anyio

_REASON = 256
_DETAILS = 32_768

#: Where the code lies that calls handlers.
_OURS = (str(Path(__file__).parents[1]), str(Path(anyio.__file__).parent))


class Failure(NamedTuple):
    """Why something failed, in sizes that SWF takes.

    Attributes:
        reason: At most 256 characters.
        details: At most 32,768 characters, or None.
    """

    reason: str
    details: str | None = None


def failure(error: BaseException) -> Failure:
    """Describe an exception: type and message, and where it came from.

    The frames that led to the handler are left out; of a long traceback the middle.
    """
    reason = f"{type(error).__qualname__}: {_message(error)}"
    return Failure(shortened(reason, _REASON), shortened(_trace(error), _DETAILS))


def reason(words: str) -> Failure:
    """Describe what is no exception."""
    return Failure(shortened(words, _REASON))


def left_behind(task: "asyncio.Task[Any] | None") -> bool:
    """Tell, of a GeneratorExit, whether a coroutine is closed that nobody runs.

    Such a one must not go on. Otherwise it is an exception like any other.
    """
    try:
        return asyncio.current_task() is not task
    except RuntimeError:  # no event loop runs
        return True


def shortened(text: str, most: int) -> str:
    """Cut the middle out of a long text, and say so; make it valid Unicode."""
    text = text.encode("utf-8", "replace").decode()
    if len(text) <= most:
        return text
    if most <= _REASON:
        return f"{text[: most - 1]}…"
    mark = f"\n... {len(text) - most:,} and more characters are left out ...\n"
    half = (most - len(mark)) // 2
    return f"{text[:half]}{mark}{text[-half:]}"


def _from_the_handler(frames: TracebackType | None) -> TracebackType | None:
    """Leave out the frames that led to the handler; none, when there is no other."""
    rest = frames
    while rest is not None:
        if not rest.tb_frame.f_code.co_filename.startswith(_OURS):
            return rest
        rest = rest.tb_next
    return frames


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as worse:  # noqa: BLE001 - a user's __str__ may raise anything
        return f"its message cannot be read: {type(worse).__qualname__}"


def _trace(error: BaseException) -> str:
    frames = _from_the_handler(error.__traceback__)
    try:
        return "".join(traceback.format_exception(type(error), error, frames))
    except Exception:  # noqa: BLE001 - as above
        return "".join(traceback.format_tb(frames))

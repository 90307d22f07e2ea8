"""An exception as a reason and JSON details.

Source:
    swf-semantics.md section 1.5 (256 and 32,768 characters).
"""

import traceback
from collections.abc import Iterator
from types import TracebackType

import msgspec

from flowser.replay.failures import Description, RemoteError
from flowser.replay.formats import FORMAT

_REASON = 256
_DETAILS = 32_768

#: Of one exception's traceback, and of its message; JSON may need more for them.
_TRACEBACK = 4_000
_MESSAGE = 2_000

#: How many causes are told, and how many exceptions of a group.
_CAUSES = 8

#: The packages whose code calls authors' code.
_OURS = ("flowser", "anyio")

_encode = msgspec.json.Encoder().encode


def describe(error: BaseException, heartbeat: str | None = None) -> tuple[str, str]:
    """Describe an exception: type, message, causes, and where they were raised.

    Args:
        error: The exception.
        heartbeat: What the activity that raised it had told last of its progress.

    Returns:
        The reason, of at most 256 characters; and the details as JSON, of at most
        32,768: the innermost causes and the tracebacks are left out first.
    """
    first = error
    while isinstance(first, BaseExceptionGroup) and len(first.exceptions) == 1:
        first = first.exceptions[0]
    reason = f"{type(first).__qualname__}: {message(first)}".removesuffix(": ")
    reason = shortened(reason, _REASON)
    for causes, trace in ((_CAUSES, _TRACEBACK), (2, 1_000), (0, 0)):
        told = _described(error, causes, trace)
        told.heartbeat = heartbeat
        text = _encode(told).decode()
        if len(text) <= _DETAILS:
            return reason, text
    name, words = (
        shortened(text, _REASON) for text in (_name(type(error)), message(error))
    )
    least = Description(fv=FORMAT, type=name, message=words, heartbeat=heartbeat)
    return reason, _encode(least).decode()


def progress(words: str, heartbeat: str) -> str:
    """Describe in JSON what ended by no exception, and how far it had come."""
    told = Description(fv=FORMAT, type="Exception", message=words, heartbeat=heartbeat)
    return _encode(told).decode()


def _described(error: BaseException, causes: int, trace: int) -> Description:
    cause = cause_of(error) if causes else None
    told = None if cause is None else _described(cause, causes - 1, trace)
    if isinstance(error, RemoteError):
        return Description(
            fv=FORMAT,
            type=error.type,
            message=error.message,
            bases=list(error.bases),
            traceback=shortened(error.traceback, trace),
            cause=told,
        )
    return Description(
        fv=FORMAT,
        type=_name(type(error)),
        message=shortened(message(error), _MESSAGE),
        bases=list(_bases(type(error))),
        traceback=shortened(_trace(error), trace),
        cause=told,
    )


def cause_of(error: BaseException) -> BaseException | None:
    """Give what led to an exception; of a group, its first one."""
    if error.__cause__ is not None:
        return error.__cause__
    if isinstance(error, BaseExceptionGroup):
        return error.exceptions[0]
    return None if error.__suppress_context__ else error.__context__


def message(error: BaseException) -> str:
    """Give an exception's message; of a group of several, those of its exceptions."""
    if not isinstance(error, BaseExceptionGroup) or len(error.exceptions) == 1:
        return _message(error)
    told = [
        f"{type(each).__qualname__}: {_message(each)}".removesuffix(": ")
        for each in error.exceptions[:_CAUSES]
    ]
    return f"{_message(error)}: {'; '.join(told)}"


def _message(error: BaseException) -> str:
    """Give a message, whatever its class makes of it."""
    try:
        return str(error)
    except Exception as worse:  # noqa: BLE001 - a user's __str__ may raise anything
        return f"its message cannot be read: {type(worse).__qualname__}"


def shortened(text: str, most: int) -> str:
    """Cut the middle out of a long text, and say so; make it valid Unicode."""
    text = text.encode("utf-8", "replace").decode()
    if len(text) <= most:
        return text
    if most <= _REASON:
        return f"{text[: most - 1]}…" if most else ""
    mark = f"\n... {len(text) - most:,} and more characters are left out ...\n"
    half = (most - len(mark)) // 2
    return f"{text[:half]}{mark}{text[-half:]}"


def _name(kind: type[BaseException]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _bases(kind: type[BaseException]) -> Iterator[str]:
    for base in kind.__mro__[1:]:
        if base not in (Exception, BaseException, object):
            yield _name(base)


def _trace(error: BaseException) -> str:
    frames: TracebackType | None = error.__traceback__
    while frames is not None and _is_ours(frames):
        frames = frames.tb_next
    return "".join(traceback.format_tb(frames))


def _is_ours(frames: TracebackType) -> bool:
    name: str = frames.tb_frame.f_globals.get("__name__", "")
    return name.partition(".")[0] in _OURS

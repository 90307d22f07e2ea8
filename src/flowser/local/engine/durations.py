"""Durations and times: SWF's strings of seconds, and the engine's milliseconds.

Source:
    swf-semantics.md sections 1.1 and 5.2.
"""

import functools

#: A duration that never ends.
NONE = "NONE"


def milliseconds(duration: str | None, most: int) -> int | None:
    """Read a duration.

    Args:
        duration: Seconds as digits, or "NONE".
        most: Seconds; nothing in SWF lasts longer than a year.

    Returns:
        Milliseconds; None when it never ends.
    """
    if duration is None or duration == NONE:
        return None
    return min(int(duration), most) * 1000


@functools.lru_cache(maxsize=8)
def stamp(at: int) -> bytes:
    """Write a time as SWF does: seconds since 1970, with three decimals."""
    return b"%d.%03d" % divmod(at, 1000)


def seconds(at: int) -> float:
    """Turn a time into a JSON number of seconds since 1970."""
    return at / 1000

"""How often, and after which pauses, an activity is tried again.

The decider does it, so every retry costs events: six, and five more for the timer of
its pause. The jitter is computed from the run and the attempt: it is the same again in
every replay, and another for every run.

Source:
    dx.md section 1.1 (activity retries).
"""

import math
import zlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from flowser.exceptions import InvalidArgument
from flowser.replay.failures import (
    ActivityFailed,
    ActivityTimedOut,
    OperationFailed,
)

if TYPE_CHECKING:
    from flowser.replay.timers import Timer

_SHARE = 2**32


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """When an activity that failed, or timed out, is tried again.

    Attributes:
        attempts: How often it is tried in all; None for no limit.
        initial: Seconds before the second attempt; 0 tries again at once.
        factor: How much longer each pause is than the one before.
        maximum: Seconds that no pause exceeds, jitter aside.
        jitter: Share of a pause by which it is made longer or shorter, 0 to 1.
        non_retryable: Exceptions that are final: classes, or names, qualified or not.
    """

    attempts: int | None = 3
    initial: float | timedelta = 1.0
    factor: float = 2.0
    maximum: float | timedelta = 300.0
    jitter: float = 0.2
    non_retryable: tuple[str | type[BaseException], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            InvalidArgument: Naming it.
        """
        for name, least, most in _BOUNDS:
            value = getattr(self, name)
            value = value.total_seconds() if isinstance(value, timedelta) else value
            right = isinstance(value, int | float) and not isinstance(value, bool)
            if value is None and name == "attempts":
                continue
            if not right or not least <= value <= most:
                remedy = f"give {least:g} to {most:g}"
                raise InvalidArgument(f"retry.{name}", f"is {value!r}", remedy)
        if isinstance(self.attempts, float):
            remedy = "give a whole number, or None for no limit"
            raise InvalidArgument("retry.attempts", f"is {self.attempts!r}", remedy)
        given: Any = self.non_retryable
        if not (isinstance(given, tuple | list) and all(map(_names, given))):
            remedy = "give a tuple of exception classes, or of their names"
            raise InvalidArgument("retry.non_retryable", f"is {given!r}", remedy)

    def pause(self, attempt: int, error: OperationFailed, seed: str) -> float | None:
        """Say how long to wait after an attempt that failed.

        Args:
            attempt: Its number, from 1.
            error: How it failed.
            seed: What tells this operation from all others.

        Returns:
            Seconds; None when it was the last.
        """
        if not isinstance(error, ActivityFailed | ActivityTimedOut):
            return None
        if self.attempts is not None and attempt >= self.attempts:
            return None
        if isinstance(error, ActivityFailed) and any(
            map(error.is_a, self.non_retryable)
        ):
            return None
        return self._grown(attempt) * spread(self.jitter, f"{seed} {attempt}")

    def _grown(self, attempt: int) -> float:
        initial = _seconds(self.initial)
        try:
            grown = initial and initial * float(self.factor) ** (attempt - 1)
        except OverflowError:
            grown = math.inf
        return min(grown, _seconds(self.maximum))


class Tries:
    """What a retried activity has to remember.

    Attributes:
        attempt: The number of the latest attempt, from 1.
        input: Of the first attempt.
        told: The input of the latest one, when it is not the first.
        progress: What its attempts told last.
        pause: Before the next attempt.
    """

    __slots__ = ("attempt", "input", "pause", "progress", "told")

    def __init__(self, input: str | None) -> None:
        """Begin with the first attempt."""
        self.attempt = 1
        self.input = input
        self.told: str | None = None
        self.progress: str | None = None
        self.pause: Timer | None = None


def _names(kind: object) -> bool:
    return isinstance(kind, str) or (
        isinstance(kind, type) and issubclass(kind, BaseException)
    )


def spread(jitter: float, seed: str) -> float:
    """Give a factor about 1: the same for the same seed, and spread over seeds."""
    return 1 + jitter * (2 * zlib.crc32(seed.encode()) / _SHARE - 1)


_YEAR = 365 * 24 * 3600

_BOUNDS: tuple[tuple[str, float, float], ...] = (
    ("attempts", 1, 10_000),
    ("initial", 0, _YEAR),
    ("factor", 1, 1_000),
    ("maximum", 0, _YEAR),
    ("jitter", 0, 1),
)


def _seconds(value: float | timedelta) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else value

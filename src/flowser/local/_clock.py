"""The time of a server, and its alarm: both of the event loop's making."""

import asyncio
from collections.abc import Callable


class Clock:
    """Tells milliseconds since 1970, from a beginning on, and rings when it is time."""

    def __init__(self, now: int, second: float, ring: Callable[[int], None]) -> None:
        """Begin to run.

        Args:
            now: The time, in milliseconds since 1970.
            second: How long a second lasts, in seconds of the loop.
            ring: Is called with the time that the alarm was set to.
        """
        self._loop = asyncio.get_running_loop()
        self._second = second
        self._epoch = 0
        self._epoch = now - self.now()
        self._ring = ring
        self._alarm: asyncio.TimerHandle | None = None
        self._due = 0

    def now(self) -> int:
        """Tell the time."""
        # Rounded down, so that a time that is told has come.
        return self._epoch + int(self._loop.time() * 1000 / self._second)

    def set_alarm(self, due: int) -> None:
        """Ring at a time, unless it rings before; then it is to be set anew."""
        if self._alarm is not None:
            if self._due <= due:
                return
            self._alarm.cancel()
        self._due = due
        when = (due - self._epoch) / 1000 * self._second
        self._alarm = self._loop.call_at(when, self._wake)

    def _wake(self) -> None:
        self._alarm = None
        # A loop may call a moment early.
        self._ring(max(self.now(), self._due))

    def stop(self) -> None:
        """Ring no more."""
        if self._alarm is not None:
            self._alarm.cancel()

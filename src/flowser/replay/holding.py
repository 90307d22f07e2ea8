"""Decisions that SWF refused for now: they wait, all together, and are sent again.

What is over a rate, or over a limit that is lower than SWF's own, is not the author's
to know. One timer, longer each time, holds them all; when there is no room for that
timer, one that is open does.

Source:
    dx.md section 1.2 (apply); swf-semantics.md sections 3.2 and 8.2.
"""

from typing import TYPE_CHECKING, Any

from flowser.events import Event
from flowser.replay._futures import Handle
from flowser.replay.commands import Command
from flowser.replay.retrying import spread
from flowser.replay.timers import Timer

if TYPE_CHECKING:
    from flowser.replay.state import State

_LONGEST = 64.0
_JITTER = 0.2

#: Why no pause can be begun either.
_TIMERS = "OPEN_TIMERS_LIMIT_EXCEEDED"


def for_now(cause: str) -> bool:
    """Tell whether a refusal is one that passes."""
    return cause.endswith(("_RATE_EXCEEDED", "_LIMIT_EXCEEDED"))


class Holding:
    """What waits to be sent again."""

    __slots__ = ("_closing", "_full", "_run", "_timer", "_times", "_waiting")

    def __init__(self, run: "State") -> None:
        """Hold nothing."""
        self._run = run
        self._waiting: dict[Command, None] = {}
        self._timer: Timer | None = None
        self._times = 0
        self._closing = False
        self._full = False  # whether the next timer that ends makes room

    def hold(self, command: Command | None, event: Event) -> None:
        """Hold what was refused for now.

        Args:
            command: What was refused; None is the close of the run.
            event: The refusal.
        """
        if self._timer is not None and command is self._timer:
            self._hold_pause(self._timer, event)
            return
        if command is None:
            self._closing = True
        else:
            self._waiting[command] = None
        if self._timer is None:
            self._times += 1
            id = f"backoff-{event.id}"
            seconds = min(2.0**self._times, _LONGEST)
            seconds *= spread(_JITTER, f"{self._run.run_id} {id}")
            again = Handle((self.release,), self._run.loop.context)
            self._timer = self._run.start_timer(id, seconds, again)

    def _hold_pause(self, timer: Timer, event: Event) -> None:
        attributes: Any = event.attributes
        if attributes.cause == _TIMERS and self._run.opens.get("timer"):
            self._full = True
        else:
            self._run.emit(timer)  # alone: each refusal is an event, of 25,000

    def made_room(self) -> None:
        """Take that a timer has fired, or is stopped."""
        if self._full:
            self.release()

    @property
    def closes_later(self) -> bool:
        """Whether the run itself is held."""
        return self._closing

    def release(self) -> None:
        """Send all of it again."""
        self._timer, self._closing, self._full = None, False, False
        waiting, self._waiting = self._waiting, {}
        for command in waiting:
            self._run.emit(command)

    def drop(self, command: Command) -> bool:
        """Forget a command; tell whether it was held."""
        if command in self._waiting:
            del self._waiting[command]
            return True
        return False

    def passed(self) -> None:
        """Begin with short pauses again, for SWF takes decisions."""
        if self._timer is None:
            self._times = 0

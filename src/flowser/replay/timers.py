"""Timers: what ``call_at`` returns, and so what every ``sleep`` and time-out waits for.

Source:
    dx.md section 1.1 (timers); swf-semantics.md section 3.2.
"""

import math
from typing import TYPE_CHECKING, Any

from flowser import decisions
from flowser.decisions import Decision
from flowser.events import Event
from flowser.replay._futures import Handle
from flowser.replay.commands import Command
from flowser.replay.troubles import Refused

if TYPE_CHECKING:
    from flowser.replay.state import State

#: Seconds of the longest timer, which is more than a run may be open.
_LONGEST = 99_999_999


class Timer(Command):
    """A handle that SWF calls: what ``call_at`` returns."""

    __slots__ = (
        "_began",
        "_when",
        "decision",
        "event",
        "handle",
        "id",
        "key",
        "number",
        "run",
        "undo",
        "where",
    )

    kind = "timer"
    opening = True
    name = ""

    def __init__(self, run: "State", id: str, when: float, handle: Handle) -> None:
        """Describe a timer."""
        self.run = run
        self.id = id
        self.key = f"timer:{id}"
        self.number = 0
        self.undo: str | None = None
        self.handle = handle
        self._began = run.loop.now
        self._when = when
        self.decision = self.event = self.where = None

    @property
    def seconds(self) -> int:
        """After how many it fires: SWF counts in whole ones."""
        # Rounded first: the difference of two times is not exact to the last bit.
        return math.ceil(round(min(self._when - self._began, _LONGEST), 3))

    @property
    def words(self) -> str:
        """What it is, in a few words."""
        return f"timer of {self.seconds} s"

    def make(self) -> Decision:
        """Make the decision."""
        seconds = str(self.seconds)
        return decisions.StartTimer(timer_id=self.id, start_to_fire_timeout=seconds)

    def fits(self, attributes: Any) -> bool:  # noqa: ARG002 - the key says it all
        """Fit any timer of this id: its seconds may be changed in open runs."""
        return True

    def bind(self, event: Event) -> None:
        """Be known by the event from now on."""
        self.number = event.id
        self.run.bound[event.id] = self
        self.run.opened(self.kind)
        self.decision = None

    def when(self) -> float:
        """Give the time for which it is set, as asyncio's handles do."""
        return self._when

    def fire(self) -> None:
        """Call what waits for it; not before its time, or anyio sets it once more."""
        self.number = -1
        loop = self.run.loop
        loop.now = max(loop.now, self._when)
        loop.push(self.handle)
        self.run.made_room()

    def cancel(self) -> None:
        """Stop it, unless it has fired."""
        if self.number < 0 or self.handle.cancelled():
            return
        self.handle.cancel()
        if not self.run.retract(self):
            stop = CancelTimer(self)
            self.undo = stop.key
            self.run.emit(stop)
            self.run.made_room()

    @property
    def wanted(self) -> bool:
        """Whether it is still to fire."""
        return not self.handle.cancelled()

    def refused(self, cause: str) -> None:
        """Give up: nothing in workflow code could take it.

        Raises:
            Refused: Unless it was stopped meanwhile.
        """
        if self.wanted:
            raise Refused("StartTimer", cause)

    def cancelled(self) -> bool:
        """Tell whether it was stopped."""
        return self.handle.cancelled()


class CancelTimer(Command):
    """Stops a timer."""

    __slots__ = ("decision", "event", "key", "timer", "where")

    kind = "cancel of timer"
    undoing = True
    name = ""

    def __init__(self, timer: Timer) -> None:
        """Describe it."""
        self.timer = timer
        self.key = f"stop:{timer.id}"
        self.decision = self.event = self.where = None

    def make(self) -> Decision:
        """Make the decision."""
        return decisions.CancelTimer(timer_id=self.timer.id)

    def fits(self, attributes: Any) -> bool:  # noqa: ARG002 - the key says it all
        """Fit any event of the key."""
        return True

    def bind(self, event: Event) -> None:
        """Forget the timer, unless it fired meanwhile: then its event comes."""
        if event.type == "TimerCanceled":
            self.timer.run.closed(event, self.timer.number)

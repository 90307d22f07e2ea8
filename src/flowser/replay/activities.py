"""Activities, with all their attempts.

Source:
    dx.md section 1.1 (activity cancel, activity retries).
"""

from typing import TYPE_CHECKING, Any, TypeVar

from flowser import decisions
from flowser.decisions import Decision
from flowser.events import Event
from flowser.replay import formats
from flowser.replay._futures import Future, Handle
from flowser.replay.commands import Command
from flowser.replay.failures import OperationFailed
from flowser.replay.operations import Operation, Plan
from flowser.replay.timers import Timer

if TYPE_CHECKING:
    from flowser.replay.state import State

R = TypeVar("R")


class Activity(Operation[R]):
    """An activity; with a retry, all its attempts."""

    __slots__ = ("attempt", "input", "pause", "progress", "told")

    kind = "activity"
    opening = True

    def __init__(self, run: "State", plan: Plan, arguments: Any, id: str) -> None:
        """Describe the first attempt."""
        self.attempt = 1
        self.input: str | None = None
        self.told: str | None = None  # the input of the attempt
        self.progress: str | None = None  # what its attempts told last
        self.pause: Timer | None = None
        super().__init__(run, plan, arguments, id)
        self.key = id
        if plan.id is not None:
            self.key = plan.id

    def make(self) -> Decision:
        """Make the decision; a retry has the input of the first attempt."""
        return self.plan.make(self.key, self.arguments, self.told)

    def fits(self, attributes: Any) -> bool:
        """Compare the names; versions of one activity are one activity."""
        return bool(attributes.activity_type.name == self.name)

    def bind(self, event: Event) -> None:
        """Keep what may be needed again."""
        arguments = self.arguments
        super().bind(event)
        if self.plan.retry is not None:
            self.arguments = arguments
            if self.attempt == 1:
                attributes: Any = event.attributes
                self.input = attributes.input

    def cancel(self, msg: Any = None) -> bool:
        """Cancel it, or the pause before its next attempt."""
        if self.pause is not None and not self.done():
            self.pause.cancel()
            self.pause = None
            return Future.cancel(self, msg)
        return super().cancel(msg)

    def request_end(self) -> None:
        """Ask for the task to be canceled."""
        self._undo_by(CancelActivity(self.key, self.name))

    def fail(self, error: OperationFailed) -> None:
        """Try again if there is a further attempt; else take the failure."""
        retry = None if self.asked or self.done() else self.plan.retry
        seed = f"{self.run.run_id} {self.id}"
        pause = None if retry is None else retry.pause(self.attempt, error, seed)
        if pause is None:
            super().fail(error)
            return
        self.attempt += 1
        # An attempt that told nothing leaves what the one before it told.
        self.progress = getattr(error, "heartbeat", None) or self.progress
        self._again(pause, self.progress)

    def _again(self, pause: float, details: str | None) -> None:
        self.number = 0
        self.key = f"{self.plan.id or self.id}~{self.attempt}"
        self.told = formats.spliced(self.input, self.attempt, details)
        attempt = Handle(self._ask, (), self.run.loop.context)
        if pause <= 0:
            self.run.loop.push(attempt)
        else:
            self.pause = self.run.start_timer(f"{self.key}w", pause, attempt)

    def _ask(self) -> None:
        self.pause = None
        if not self.done():
            self.run.emit(self)


class CancelActivity(Command):
    """Asks for an activity task to be canceled."""

    __slots__ = ("activity_id", "decision", "event", "key", "name", "where")

    kind = "cancel of activity"
    undoing = True

    def __init__(self, activity_id: str, name: str) -> None:
        """Describe it."""
        self.activity_id = activity_id
        self.key = f"cancel:{activity_id}"
        self.name = name
        self.decision = self.event = self.where = None

    def make(self) -> Decision:
        """Make the decision."""
        return decisions.RequestCancelActivityTask(activity_id=self.activity_id)

    def fits(self, attributes: Any) -> bool:  # noqa: ARG002 - the key says it all
        """Fit any event of the key."""
        return True

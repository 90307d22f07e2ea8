"""Activities, with all their attempts.

Source:
    dx.md section 1.1 (activity cancel, activity retries).
"""

from typing import Any, TypeVar

from flowser import decisions
from flowser.decisions import Decision
from flowser.replay import formats
from flowser.replay._futures import Handle
from flowser.replay.commands import Command
from flowser.replay.failures import OperationFailed
from flowser.replay.operations import Operation
from flowser.replay.retrying import Tries

R = TypeVar("R")


class Activity(Operation[R]):
    """An activity; with a retry, all its attempts."""

    __slots__ = ()

    kind = "activity"
    opening = True

    def make(self) -> Decision:
        """Make the decision; a retry has the input of the first attempt."""
        told = None if self.tries is None else self.tries.told
        made = self.plan.make(self.key, self.arguments, told)
        if self.plan.retry is None:
            self.arguments = None  # the decision has them
        return made

    def fits(self, attributes: Any) -> bool:
        """Compare the names; versions of one activity are one activity."""
        name: str = attributes.activity_type.name
        return name == self.plan.name

    def cancel(self, msg: Any = None) -> bool:
        """Cancel it, or the pause before its next attempt."""
        tries = self.tries
        if tries is not None and tries.pause is not None and not self.done():
            tries.pause.cancel()
            tries.pause = None
            return self._drops(msg)
        return super().cancel(msg)

    def request_end(self) -> None:
        """Ask for the task to be canceled."""
        self._undo_by(CancelActivity(self.key, self.name))

    def fail(self, error: OperationFailed) -> None:
        """Try again if there is a further attempt; else take the failure."""
        tries, retry = self.tries, self.plan.retry
        pause = None
        if tries is not None and retry is not None and self.wanted:
            seed = f"{self.run.run_id} {self.id}"
            pause = retry.pause(tries.attempt, error, seed)
        if tries is None or pause is None:
            super().fail(error)
            return
        tries.attempt += 1
        # An attempt that told nothing leaves what the one before it told.
        tries.progress = getattr(error, "heartbeat", None) or tries.progress
        self._again(tries, pause)

    def _again(self, tries: Tries, pause: float) -> None:
        self.number = 0
        self.key = f"{self.plan.id or self.id}~{tries.attempt}"
        tries.told = formats.spliced(tries.input, tries.attempt, tries.progress)
        attempt = Handle((self._ask,), self.run.loop.context)
        if pause <= 0:
            self.run.loop.push(attempt)
        else:
            tries.pause = self.run.start_timer(f"{self.key}w", pause, attempt)

    def _ask(self) -> None:
        if self.tries is not None:
            self.tries.pause = None
        if not self.ended():
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

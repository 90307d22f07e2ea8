"""Steps: short pieces of work in the decider itself, recorded as markers.

While a run is replayed, a step is resolved from its marker, in the order in which the
markers were recorded. When it is decided, whoever drives the run does the work, and
says what it came to by :meth:`Run.finish_step`.

Source:
    dx.md section 1.2 (steps).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flowser.events import Event
from flowser.exceptions import SerializationError
from flowser.replay import formats
from flowser.replay._futures import Future
from flowser.replay.commands import Marker
from flowser.replay.failures import StepFailed, remote
from flowser.replay.troubles import Undecodable

if TYPE_CHECKING:
    from flowser.replay.stacks import Place
    from flowser.replay.state import State

MARKER = "flowser.step"


class Step(Future[Any]):
    """A step that is not done yet.

    Attributes:
        id: Its number in the workflow.
        name: What it is called.
        work: What is to be done; called without arguments.
        loads: Reads what it returned.
    """

    __slots__ = ("id", "loads", "name", "run", "where", "work")

    kind = "step"

    def __init__(
        self,
        run: "State",
        name: str,
        work: Callable[[], Any],
        loads: Callable[[str | None], Any],
        where: "Place | None" = None,
    ) -> None:
        """Wait to be done."""
        if run.loop.dead:
            run.loop.cut_off()
        self.run = run
        self.id = run.loop.number()
        self.name = name
        self.work = work
        self.loads = loads
        self.where = where
        super().__init__(run.loop)

    @property
    def words(self) -> str:
        """What it is, in a few words."""
        return f"step {self.name}"

    @property
    def key(self) -> str:
        """What its marker is found by in the history."""
        return f"marker:{self.id}"

    def cancel(self, msg: Any = None) -> bool:
        """Do not do it after all; what it has done by then is not recorded."""
        self.run.steps.pop(self.id, None)
        return super().cancel(msg)

    def finish(self, value: str | None, failure: str | None) -> None:
        """Take what it came to, and record it.

        Args:
            value: What it returned, as JSON.
            failure: What it raised, as a description in JSON; None for nothing.
        """
        self.run.emit(self._marker(value, failure))
        self.run.steps.pop(self.id, None)
        if failure is None:
            self.set_result(self.loads(value))
        else:
            error = StepFailed(self.id, self.name, _reason(failure), failure)
            self.set_exception(error)

    def check(self, value: str | None, failure: str | None) -> None:
        """Refuse what cannot be recorded, or not be read, before anything has changed.

        Raises:
            InvalidArgument: When it is too long for a marker; naming the limit.
            SerializationError: When it is not what the step is to return.
        """
        self._marker(value, failure).make()
        if failure is None:
            self.loads(value)

    def _marker(self, value: str | None, failure: str | None) -> Marker:
        told = {"value": formats.raw(value), "failure": formats.raw(failure)}
        details = formats.note(self.id, kind="step", name=self.name, **told)
        return _Done(self.key, MARKER, details, self.words)


class _Done(Marker):
    """The note of what a step came to, which a report calls by the step's name."""

    __slots__ = ("_words",)

    def __init__(self, key: str, marker: str, details: str, words: str) -> None:
        super().__init__(key, marker, details)
        self._words = words

    @property
    def words(self) -> str:
        """What the step is, in a few words."""
        return self._words


def replayed(run: "State", event: Event) -> None:
    """Resolve a step from its marker; one that the code does not do is left."""
    attributes: Any = event.attributes
    note = formats.read_note(attributes.details)
    step = None if note is None else run.steps.get(note.id)
    if step is None or note is None or step.name != note.name:
        return
    try:
        step.finish(formats.text(note.value), formats.text(note.failure))
    except SerializationError as error:
        raise Undecodable(event.id, str(error)) from error


def _reason(failure: str) -> str | None:
    told = remote(None, failure)
    return None if told is None else f"{told.type.rpartition('.')[2]}: {told.message}"

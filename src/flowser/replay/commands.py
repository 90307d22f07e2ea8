"""What is asked of SWF by one decision.

Each command is found again in the history by its ``key``, and from then on known by
the number of the event that the decision became (`State.bound`).

Source:
    dx.md section 1.2; swf-semantics.md section 3.2.
"""

from typing import TYPE_CHECKING, Any, ClassVar

from flowser import decisions, limits
from flowser.decisions import Decision
from flowser.events import Event

if TYPE_CHECKING:
    from flowser.replay.stacks import Place


class Command:
    """Something that is asked of SWF by one decision.

    Attributes:
        kind: What it is, in a word, for limits and reports.
        opening: Whether SWF refuses it beside a decision that closes the run.
        undoing: Whether it cancels another one.
        key: What it is found by in the history.
        name: What kind of its kind it is: the name of the activity, say.
        decision: How it is asked for; None while the history says that it was.
        event: What the history says that became of it, when that is known ahead.
        where: Where the code asked for it, when the history does not know of it.
    """

    if not TYPE_CHECKING:  # the subclasses have them; no instance has a dict
        __slots__ = ()

    kind: ClassVar[str]
    opening: ClassVar[bool] = False
    undoing: ClassVar[bool] = False
    key: str
    name: str
    decision: Decision | None
    event: Event | None
    where: "Place | None"

    @property
    def words(self) -> str:
        """What it is, in a few words."""
        return f"{self.kind} {self.name}".rstrip()

    def make(self) -> Decision:
        """Make the decision, of which SWF would refuse nothing.

        Raises:
            SerializationError: When the input cannot be written.
            InvalidArgument: When SWF would refuse an argument.
        """
        raise NotImplementedError

    def fits(self, attributes: Any) -> bool:
        """Tell whether an event of this key is of this name."""
        raise NotImplementedError

    def bind(self, event: Event) -> None:
        """Take the event that the decision became."""

    def refused(self, cause: str) -> None:
        """Take SWF's refusal of the decision, for good."""


def checked(decision: Decision, name: str) -> Decision:
    """Refuse what SWF would refuse.

    Args:
        decision: Any.
        name: What it is about, for the error.

    Raises:
        InvalidArgument: Naming the argument, the limit and the remedy.
    """
    limits.check(decision, f"{name}." if name else "")
    return decision


class Marker(Command):
    """A note in the history."""

    __slots__ = ("decision", "details", "event", "key", "marker", "name", "where")

    kind = "marker"

    def __init__(self, key: str, marker: str, details: str) -> None:
        """Describe it."""
        self.key = key
        self.marker = marker
        self.name = marker
        self.details = details
        self.decision = self.event = self.where = None

    def make(self) -> Decision:
        """Make the decision."""
        note = decisions.RecordMarker(marker_name=self.marker, details=self.details)
        return checked(note, self.marker)

    def fits(self, attributes: Any) -> bool:
        """Compare the names."""
        return bool(attributes.marker_name == self.marker)

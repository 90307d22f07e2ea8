"""What a decision came to: made again from nothing, compared, and told.

An outcome has the form that it has on the wire, so that it can be made in another
process, too.

Source:
    issue 4 sections 3 and 4; dx.md section 1.2 (what a report should look like).
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from flowser._flow.recording import silenced
from flowser.decisions import (
    Decision,
    FailWorkflowExecution,
    RecordMarker,
    member,
    wrapped,
)
from flowser.events import Event
from flowser.replay import formats, steps
from flowser.replay.failures import Description
from flowser.replay.run import Answer, Run

Plain = dict[str, Any]

#: Lines of a report that are alike, at most, and characters of a value.
_ALIKE, _WIDTH = 5, 200

#: Members that name a decision, the first that it has.
_NAMES = ("activityId", "timerId", "id", "workflowId", "markerName")

#: What is said once, below all reports.
REMEDIES = """\
What a workflow decides may depend on its history, and on nothing else: not on a \
clock, chance, a set's order, a global, or an object that two runs share. Remedies:
  - take it from flow.now(), flow.random() or flow.uuid4(), or sort it;
  - ask what depends on the outside in an activity, or in flow.step();
  - where a test means it so, LocalSwf(check_replays=False), as a marker \
pytest.mark.swf(check_replays=False).\
"""


class Outcome(msgspec.Struct, kw_only=True):
    """What a decision came to.

    Attributes:
        decisions: As they are on the wire, in order.
        context: The execution context; None leaves it alone.
        closes: Whether the last decision closes the run.
        places: Where workflow code asked for each, as far as that is known.
        trouble: Why there is none; None when there is one.
    """

    decisions: list[Plain] = []
    context: str | None = None
    closes: bool = False
    places: list[str] = []
    trouble: str | None = None


def outcome(answer: Answer, places: dict[int, str] | None = None) -> Outcome:
    """Give the outcome that an answer is.

    Args:
        answer: It.
        places: Where its decisions were asked for, by their identity.
    """
    known = places or {}
    return Outcome(
        decisions=[_plain(decision) for decision in answer.decisions],
        context=answer.context,
        closes=answer.closes,
        places=[known.get(id(decision), "") for decision in answer.decisions],
    )


def _plain(decision: Decision) -> Plain:
    if isinstance(decision, FailWorkflowExecution):
        details = _without_tracebacks(decision.details)
        decision = msgspec.structs.replace(decision, details=details)
    plain: Plain = msgspec.json.decode(msgspec.json.encode(wrapped(decision)))
    return plain


def _without_tracebacks(details: str | None) -> str | None:
    """Leave out what no decision is about; it depends on the depth of the stack."""
    try:
        told = msgspec.json.decode(details or "", type=Description)
    except msgspec.MsgspecError:
        return details
    each: Description | None = told
    while each is not None:
        each.traceback, each = "", each.cause
    return msgspec.json.encode(told).decode()


def decide_again(run: Run, events: Sequence[Event], known: Outcome) -> Outcome:
    """Make a decision again.

    Its steps are not done again: what they came to is in the markers of *known*.

    Args:
        run: A new one; it is ended.
        events: The whole history that the decision sees.
        known: What it came to.
    """
    run.tracing = True
    try:
        with silenced():
            run.feed(events)
            run.advance()
            _finish_steps(run, known)
            places = {
                id(command.decision): str(command.where or "")
                for command in run.out.values()
            }
            over = run.main is None or run.main.done()
            return outcome(run.take(rest=bool(run.steps) and not over), places)
    except Exception as error:  # noqa: BLE001 - this is what it comes to
        return Outcome(trouble=f"{type(error).__name__}: {error}")
    finally:
        run.end()


def _finish_steps(run: Run, known: Outcome) -> None:
    """Tell a run what its steps came to, in the order in which they did."""
    where = member(RecordMarker.__name__)
    for decision in known.decisions:
        attributes = decision.get(where, {})
        if attributes.get("markerName") != steps.MARKER:
            continue
        note = formats.read_note(attributes.get("details"))
        step = None if note is None else run.steps.get(note.id)
        if note is not None and step is not None and step.name == note.name:
            told = formats.text(note.value), formats.text(note.failure)
            run.finish_step(step, *told)


# -- the difference --


class Title(NamedTuple):
    """Which decision it is, and who made it again.

    Attributes:
        workflow_id: Of the execution.
        run_id: Of the run.
        kind: Name and version of its type.
        at: The id of the DecisionTaskStarted event.
        again: How it was made again, in a few words.
    """

    workflow_id: str
    run_id: str
    kind: str
    at: int
    again: str

    @classmethod
    def of(cls, run: Run, at: int, again: str) -> "Title":
        """Make the title for a decision of a run."""
        type = run.started and run.started.workflow_type
        kind = f"{type.name} {type.version}" if type else "unknown"
        return cls(run.workflow_id, run.run_id, kind, at, again)

    def __str__(self) -> str:
        run = f"{self.workflow_id} (run {self.run_id}, type {self.kind})"
        return f"{run}, decision at event {self.at}: {self.again} decides otherwise"


def difference(title: Title, known: Outcome, again: Outcome) -> str | None:
    """Report how two outcomes differ; None when they do not.

    Args:
        title: Which decision it is.
        known: What it came to, with ``-`` in the report.
        again: What it came to when it was made again, with ``+``.
    """
    if again.trouble is not None:
        return f"{title}\n  + {_indented(again.trouble)}"
    rows = [*_compared(known, again)]
    if not any(row.sign != " " for row in rows):
        return None
    return "\n".join([str(title), *_table(rows)])


class _Row(NamedTuple):
    sign: str
    what: str
    whence: str = ""
    members: tuple[str, ...] = ()


def _compared(known: Outcome, again: Outcome) -> Iterator[_Row]:
    olds = {_name(each): each for each in known.decisions}
    news = {_name(each): each for each in again.decisions}
    places = dict(zip(news, again.places, strict=False))
    for name in {**olds, **news}:
        old, new = olds.get(name), news.get(name)
        if old == new:
            yield _Row(" ", name, "both")
            continue
        if old is not None:
            yield _Row("-", name, "answered", _members(old, new))
        if new is not None:
            place = places.get(name)
            whence = f"decided again, {place}" if place else "decided again"
            yield _Row("+", name, whence, _members(new, old))
    if olds == news and known.decisions != again.decisions:
        yield _Row("-", "in the order", ", ".join(olds))
        yield _Row("+", "in the order", ", ".join(news))
    for word in ("context", "closes"):
        old, new = getattr(known, word), getattr(again, word)
        if old != new:
            yield _Row("-", word, _short(old))
            yield _Row("+", word, _short(new))


def _name(decision: Plain) -> str:
    """Name a decision: no two of a run that are open have the same name."""
    kind = decision["decisionType"]
    attributes = decision.get(member(kind), {})
    note = formats.read_note(attributes.get("details") or attributes.get("control"))
    ids = (attributes.get(name) for name in _NAMES)
    id = next((id for id in ids if id is not None), "")
    return " ".join(filter(None, (kind, id, note.id if note else "")))


def _members(one: Plain, other: Plain | None) -> tuple[str, ...]:
    """Show the attributes of one that another has not."""
    where = member(one["decisionType"])
    mine, others = one.get(where, {}), (other or {}).get(where, {})
    return tuple(
        f"{name}: {_short(value)}"
        for name, value in mine.items()
        if other is None or others.get(name) != value
    )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}..."


def _table(rows: list[_Row]) -> Iterator[str]:
    width = max(len(row.what) for row in rows)
    alike = [row for row in rows if row.sign == " "]
    for row in (*(row for row in rows if row.sign != " "), *alike[:_ALIKE]):
        yield f"  {row.sign} {row.what:<{width}}  {row.whence}".rstrip()
        yield from (f"      {line}" for line in row.members)
    if len(alike) > _ALIKE:
        yield f"    and {len(alike) - _ALIKE} more that both have"


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")

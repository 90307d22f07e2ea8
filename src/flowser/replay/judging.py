"""Whether what history and code do not have in common is right all the same.

Source:
    dx.md section 1.2 (matching); the rules of `sending`.
"""

from collections import Counter
from typing import TYPE_CHECKING, Any

from flowser.events import Event
from flowser.replay.commands import Command
from flowser.replay.matching import REFUSALS
from flowser.replay.report import Title, report
from flowser.replay.sending import may_wait
from flowser.replay.stacks import raised
from flowser.replay.troubles import NonDeterminism, Refused
from flowser.replay.turns import Turn

if TYPE_CHECKING:
    from flowser.replay.run import Run


def judge(
    run: "Run",
    turn: Turn,
    commands: dict[str, Command],
    agreed: list[tuple[Command, Event]],
) -> None:
    """Look at what is left over after a turn was compared.

    Args:
        run: The run.
        turn: The turn; its outcomes are what only the history has.
        commands: What only the code asked for.
        agreed: What both have.

    Raises:
        NonDeterminism: When that is not right.
        Refused: When SWF refused a marker.
    """
    missing = _missing(turn)
    surplus = [] if turn.more and not missing else _surplus(run, commands, agreed)
    if turn.more:  # the rest is sent later: only what is there instead is surplus
        ids = {_id(key) for key in turn.outcomes}
        surplus = [each for each in surplus if _id(each.key) in ids]
    if turn.ran:  # what was sent from here is all there, or somebody else answered
        surplus = list(commands.values())
    if missing or surplus:
        for command in surplus:
            if command.kind == "close":
                command.where = raised(_error(run))
        raise NonDeterminism(report(_title(run, turn), missing, surplus, agreed))


def _missing(turn: Turn) -> list[Event]:
    missing = []
    for key, event in turn.outcomes.items():
        if key.startswith("refused marker:"):
            attributes: Any = event.attributes
            raise Refused("RecordMarker", attributes.cause)
        if not key.startswith("patch:"):  # one whose old way was removed from the code
            missing.append(event)
    return missing


def _surplus(
    run: "Run", commands: dict[str, Command], agreed: list[tuple[Command, Event]]
) -> list[Any]:
    closing = any(command.kind == "close" for command, _ in agreed)
    begun = Counter(run.opens)
    begun.update(c.kind for c, event in agreed if event.type in REFUSALS)
    surplus: list[Any] = [
        command
        for command in commands.values()
        if not may_wait(command, begun, closing=closing)
    ]
    # A step goes on beyond its decision only where another one follows at once.
    return surplus if closing else [*surplus, *run.steps.values()]


def _id(key: str) -> str:
    return key.rpartition(":")[2]


def _error(run: "Run") -> BaseException | None:
    """Give what the main task raised."""
    if run.main is None or not run.main.done() or run.main.cancelled():
        return None
    return run.main.exception()


def _title(run: "Run", turn: Turn) -> Title:
    type = run.started and run.started.workflow_type
    named = f", type {type.name} {type.version}" if type else ""
    name = f"{run.workflow_id} (run {run.run_id}{named})"
    return Title(name, turn.number, turn.first, turn.started)

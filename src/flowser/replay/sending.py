"""Which of the decisions that are due are sent now, and which have to wait.

Rules, and why; they are part of the format of histories, for a replay must come to the
same:

- At most 100 decisions and less than 1 MB go into one response. A timer of no seconds,
  whose id begins with ``more-``, brings on the next decision, which sends the rest.
- At most 1,000 activities, timers and children of a run are open: what would be more
  waits until one of them ends, which brings on a decision by itself.
- Beside a decision that closes the run, SWF takes no new activities, timers and Lambda
  functions. They are not sent: nobody would see how they end.

Source:
    swf-semantics.md sections 3.1 (100 decisions), 3.3 and 8.1.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from flowser.decisions import Decision, StartTimer, wrapped
from flowser.limits import MAX_REQUEST_BYTES
from flowser.replay.commands import Command
from flowser.replay.matching import MORE, in_order

#: Decisions in one response.
MOST = 100

#: How much of a run may be open at a time, by kind (section 8.1).
OPEN: dict[str, int] = {"activity": 1_000, "timer": 1_000, "child": 1_000}

#: What a response has besides decisions: tokens, the execution context, a task list.
_FRAME = 40_000

_encode = msgspec.json.Encoder().encode


class Chosen(NamedTuple):
    """What is sent.

    Attributes:
        commands: In the order in which they were asked for.
        rest: Whether another decision is to follow at once.
    """

    commands: list[Command]
    rest: bool


def choose(
    commands: Iterable[Command], opened: Mapping[str, int], *, closing: bool
) -> Chosen:
    """Choose what is sent now.

    Args:
        commands: What is due, each with its decision.
        opened: How much is open, by kind.
        closing: Whether the run is to be closed.
    """
    chosen: list[Command] = []
    free = {kind: most - opened.get(kind, 0) for kind, most in OPEN.items()}
    room = MAX_REQUEST_BYTES - _FRAME
    for command in ordered(commands):
        if closing and command.opening:
            continue
        if free.get(command.kind, 1) <= 0:
            continue
        room -= _size(command)
        if room < 0 or len(chosen) == MOST - 1:
            return Chosen(chosen, rest=True)
        if command.kind in free:
            free[command.kind] -= 1
        chosen.append(command)
    return Chosen(chosen, rest=False)


def ordered(commands: Iterable[Command]) -> list[Command]:
    """Put decisions that cancel something before all others, in order of numbers.

    They are asked for in an order that anyio's scopes have from addresses.
    """
    return sorted(commands, key=_place)


def _place(command: Command) -> tuple[bool, tuple[tuple[bool, int, str], ...]]:
    if not command.undoing:
        return True, ()
    return False, in_order(command.key.partition(":")[2])


def _size(command: Command) -> int:
    """Say how many bytes a decision has on the wire, with a comma."""
    return (
        0 if command.decision is None else len(_encode(wrapped(command.decision))) + 1
    )


def more(started: int) -> Decision:
    """Bring on the next decision at once."""
    return StartTimer(timer_id=f"{MORE}{started}", start_to_fire_timeout="0")


def may_wait(command: Command, opened: Mapping[str, int], *, closing: bool) -> bool:
    """Tell whether a decision that was not sent, though nothing followed, is right.

    Args:
        command: What was asked for.
        opened: How much is open after what was sent, by kind.
        closing: Whether the run was to be closed.
    """
    if closing and command.opening:
        return True
    return opened.get(command.kind, 0) >= OPEN.get(command.kind, 1 << 62)

"""Which of the decisions that are due are sent now, and which have to wait.

Rules, and why; they are part of the format of histories, for a replay must come to the
same:

- At most 100 decisions and less than 1 MB go into one response. A timer of no seconds,
  whose id begins with ``more-``, brings on the next decision, which sends the rest.
- At most 1,000 activities, timers and children of a run are open: what would be more
  waits until one of them ends, which brings on a decision by itself.
- What steps came to is sent first: what the code does after a step is, in a replay,
  done after its marker. A decision takes no more of them than have room.
- Beside a decision that closes the run, SWF takes no new activities, timers and Lambda
  functions. They are not sent: nobody would see how they end.

Source:
    swf-semantics.md sections 3.1 (100 decisions), 3.3 and 8.1.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from flowser.decisions import Decision, StartTimer, wrapped
from flowser.limits import MAX_REQUEST_BYTES
from flowser.replay.commands import Command
from flowser.replay.matching import MORE, in_order
from flowser.replay.steps import MARKER as STEP

#: Decisions in one response.
MOST = 100

#: Results of steps in one response, and their bytes, after which it takes no more; the
#: longest marker is of less than 400 KB.
STEPS, _STEP_BYTES = 50, 400_000

#: How much of a run may be open at a time, by kind (section 8.1).
OPEN: dict[str, int] = {"activity": 1_000, "timer": 1_000, "child": 1_000}

#: What a response has besides decisions and context: a token, a task list, names.
_FRAME = 8_000

_HIGH = bytes(range(128, 256))

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
    commands: Iterable[Command],
    opened: Mapping[str, int],
    *,
    closing: bool,
    context: str | None = None,
) -> Chosen:
    """Choose what is sent now.

    Args:
        commands: What is due, each with its decision.
        opened: How much is open, by kind.
        closing: Whether the run is to be closed.
        context: The execution context that goes with them.
    """
    chosen: list[Command] = []
    free = {kind: most - opened.get(kind, 0) for kind, most in OPEN.items()}
    room = MAX_REQUEST_BYTES - _FRAME - _bytes(context)
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
    """Put what steps came to first, and what cancels something next.

    Cancels go in order of numbers: they are asked for in an order that anyio's scopes
    have from addresses.
    """
    return sorted(commands, key=_place)


def _place(command: Command) -> tuple[int, tuple[tuple[bool, int, str], ...]]:
    if command.undoing:
        return 1, in_order(command.key.partition(":")[2])
    return (0 if _is_step(command) else 2), ()


def _is_step(command: Command) -> bool:
    return command.kind == "marker" and command.name == STEP


def is_full(commands: Iterable[Command]) -> bool:
    """Tell whether no more results of steps have room in a decision.

    Args:
        commands: What is due.
    """
    sizes = [_size(command) for command in commands if _is_step(command)]
    return len(sizes) >= STEPS or sum(sizes) >= _STEP_BYTES


def _size(command: Command) -> int:
    """Say how many bytes a decision has on the wire, with a comma."""
    return 0 if command.decision is None else _bytes(wrapped(command.decision)) + 1


def _bytes(value: Any) -> int:
    """Say how many bytes something has as JSON, where all but ASCII is escaped.

    boto does so: a character that is not in ASCII has six bytes there, or twelve.
    """
    text: bytes = _encode(value)
    if text.isascii():
        return len(text)
    plain = len(text.translate(None, _HIGH))
    return plain + 6 * (len(text.decode().encode("utf-16-le")) // 2 - plain)


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

"""Random programs on a local SWF, undisturbed and disturbed: ``python -m`` this.

::

    python -m tests.replay.disturbed 17        # one seed, and what it does
    python -m tests.replay.disturbed 0 2000    # many

A seed makes a program, and what happens to its workers: they are killed, they forget
runs, decisions time out, requests and replies are lost, late, or sent twice, and the
server is restarted. The program runs twice, once without all that, on a time that
jumps. Both must come to the same end, with the same effects in all histories.

"The same" means: the same result, or failure; the same activities with the same inputs,
results and failures, the same timers, started, fired and canceled, the same markers,
signals, children and cancel requests, under the same ids; all of that in the program,
in the run that continues it, and in their children. What is left out says `effects`:
above all, an activity that was lost with its worker is tried again by its retry.

A disturbance takes time, and time-outs race with it: a program whose timers end at
about the same time may rightly do something else when a decision comes late. So all
that happens to a program from outside (a timer, an activity, a signal, a cancel
request) happens after a time of its own, a multiple of a moment by a power of two that
nothing else has. Whatever waits for what, two of these never come together, and never
closer than a moment, which is longer than all disturbances of a run together. What
comes first is then for the program alone to say.
"""

import argparse
import asyncio
import json
import logging
import random
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from flowser.domain import Domain
from flowser.testing import LocalSwf
from flowser.worker import Worker
from tests.replay.effects import Found
from tests.replay.harms import DECIDED, Harms, keep
from tests.replay.plans import Plan, chore, disturbed, errand

#: How much harm is done, if the run lasts for it.
HARM = (1, 2, 4, 8)


class Deciders(Domain):
    """What the workers serve that are disturbed."""

    name = "given"
    workflow_types = [disturbed]
    activity_types = [chore]
    retention_period = "90"


class Travellers(Domain):
    """What nobody disturbs."""

    name = "given"
    activity_types = [errand]


class Played(NamedTuple):
    """What came of a program.

    Attributes:
        effects: By run.
        harms: What was done to it, and what it called.
    """

    effects: dict[str, list[str]]
    harms: Harms


async def play(plan: Plan, seed: int, usual: Counter[str] | None = None) -> Played:
    """Play a program to its end, and that of its children.

    Args:
        plan: It.
        seed: Draws what happens to its workers.
        usual: What is called when nothing happens to them; None lets nothing happen.
    """
    random.seed(seed)  # for pauses with jitter
    chance = random.Random(seed)
    harm = 0 if usual is None else chance.choice(HARM)
    async with LocalSwf() as swf, asyncio.TaskGroup() as group:
        domain = Deciders(swf.conn)
        await domain.register()
        travellers = Travellers(swf.conn)
        await travellers.register(raise_exists=False)
        given = disturbed.input(plan.programs)
        run = await domain.start(disturbed, given, workflow_id="w-1")
        harms = Harms(swf, chance, harm, usual or Counter())
        others = [group.create_task(plan.happen(domain))]
        others.append(group.create_task(give_up(harms)))
        for _ in range(chance.randint(1, 2) if usual else 1):
            own = random.Random(chance.random()) if usual else None
            others.append(group.create_task(keep(swf, harms, Deciders, own)))
        async with Worker(travellers, heartbeat_interval=1e9, drain=0, grace=0.1):
            found = Found(domain, disturbed)
            await found.look(run, "w-1")
        swf.faults.clear()
        for other in others:
            other.cancel()
    return Played(found.effects, harms)


async def give_up(harms: Harms) -> None:
    """End a seed whose run is decided again and again.

    Raises:
        Endless: Then.
    """
    await harms.endless.wait()
    raise Endless(f"{dict(harms.calls)}, and no end in sight")


class Endless(AssertionError):
    """A run does not come to an end."""


class Differs(AssertionError):
    """A disturbed run came to another end, or to the same one in another way."""


async def check(seed: int) -> tuple[Played, Played]:
    """Play a seed both ways, and compare.

    Raises:
        Differs: With the command that does it again.
    """
    plan = Plan(seed)
    calm = await play(plan, seed)
    harmed = await play(plan, seed, calm.harms.calls)
    if calm.effects != harmed.effects:
        raise Differs("\n".join(report(seed, plan, calm, harmed)))
    return calm, harmed


def report(seed: int, plan: Plan, calm: Played, harmed: Played) -> Iterator[str]:
    """Say what a seed did, and what differs."""
    yield f"seed {seed}: python -m tests.replay.disturbed {seed}"
    yield from (f"  program {json.dumps(program)}" for program in plan.programs)
    yield f"  canceled after {plan.canceled} s, signals after {plan.signals}"
    yield from (f"  harm {told}" for told in harmed.harms.planned)
    for name in sorted({*calm.effects, *harmed.effects}):
        one, other = (p.effects.get(name, []) for p in (calm, harmed))
        yield from (f"  {name} - {line}" for line in one if line not in other)
        yield from (f"  {name} + {line}" for line in other if line not in one)


def main() -> None:
    """Check the seeds that are given."""
    parser = argparse.ArgumentParser(prog="python -m tests.replay.disturbed")
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int, nargs="?", help="not included")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    last = given.first + 1 if given.last is None else given.last
    failed = decisions = harm = 0
    for seed in range(given.first, last):
        try:
            calm, harmed = asyncio.run(check(seed))
        except Exception as error:  # noqa: BLE001 - told, with the next seeds to follow
            failed += 1
            told = "".join(traceback.format_exception(error))
            sys.stdout.write(f"seed {seed} failed: {told}\n")
            continue
        decisions += harmed.harms.calls[DECIDED]
        harm += harmed.harms.done
        if given.last is None:
            sys.stdout.write("\n".join(report(seed, Plan(seed), calm, harmed)) + "\n")
    words = f"{last - given.first} seeds, {decisions} decisions, {harm} disturbances"
    sys.stdout.write(f"{words}, {failed} failed\n")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()

"""Tests of workflows: a local SWF without sockets, on a time that jumps.

With pytest, ask for the fixture ``swf``; there is nothing to configure::

    async def test_order_expires_after_a_day(swf):
        assert await swf.run(order, "o-1", amount=Decimal(3)) == "expired"

Without, it is ``async with flowser.testing.LocalSwf() as swf:``. A run that was
recorded yesterday is held against today's code by :func:`replay`, and a folder of them
by ``pytest --flowser-histories=DIR``.

While a :class:`LocalSwf` lasts, every decision that a worker makes for a coroutine
workflow is made again by a replay of its history from nothing, and must be the same;
:class:`HashSeeds` has that done in processes in which sets have other orders, too.
"""

from flowser.local.engine.quotas import Quotas
from flowser.testing.checks import Checks, DifferentDecision, checked_replays
from flowser.testing.clock import Clock, virtual_time
from flowser.testing.deadlock import Deadlock
from flowser.testing.faults import Faults
from flowser.testing.histories import load_history, save_history
from flowser.testing.planned import Planned
from flowser.testing.replaying import replay
from flowser.testing.seeds import HashSeeds
from flowser.testing.stage import LocalRun
from flowser.testing.standins import Call, StandIn, StandInUsedUp, UnusedStandIn
from flowser.testing.swf import LocalSwf, UnusedFaults

__all__ = [
    "Call",
    "Checks",
    "Clock",
    "Deadlock",
    "DifferentDecision",
    "Faults",
    "HashSeeds",
    "LocalRun",
    "LocalSwf",
    "Planned",
    "Quotas",
    "StandIn",
    "StandInUsedUp",
    "UnusedFaults",
    "UnusedStandIn",
    "checked_replays",
    "load_history",
    "replay",
    "save_history",
    "virtual_time",
]

"""Tests of workflows: a local SWF without sockets, on a time that jumps.

With pytest, ask for the fixture ``swf``; there is nothing to configure::

    async def test_album_is_printed_after_a_month(swf):
        photos = Photos(swf.conn)
        await photos.register()
        async with flowser.Worker(photos):
            handle = await photos.start(Album, {"id": "a-1"})
            assert await handle.result() == "printed"

Without, it is ``async with flowser.testing.LocalSwf() as swf:``.
"""

from flowser.local.engine.quotas import Quotas
from flowser.testing.clock import Clock, virtual_time
from flowser.testing.deadlock import Deadlock
from flowser.testing.faults import Faults
from flowser.testing.histories import load_history, save_history
from flowser.testing.planned import Planned
from flowser.testing.swf import LocalSwf, UnusedFaults

__all__ = [
    "Clock",
    "Deadlock",
    "Faults",
    "LocalSwf",
    "Planned",
    "Quotas",
    "UnusedFaults",
    "load_history",
    "save_history",
    "virtual_time",
]

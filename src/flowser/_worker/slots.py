"""Slots: how many tasks may be in hand, polled for or handled.

Source:
    DESIGN section 4 rule 2.
"""

import asyncio


class Slots:
    """A number of places; a poller takes one before it polls."""

    def __init__(self, *places: asyncio.Semaphore) -> None:
        """Take places of all of these, in this order.

        Args:
            places: Those of the kind of task; those of threads, where these are used.
        """
        self._places = places

    async def take(self) -> "Slot":
        """Wait until there is a place."""
        taken = Slot()
        try:
            for places in self._places:
                await places.acquire()
                taken.places.append(places)
        except BaseException:
            taken.free()
            raise
        return taken


class Slot:
    """A place; it goes with the task, and is freed when that was answered."""

    __slots__ = ("places",)

    def __init__(self) -> None:
        """Hold nothing yet."""
        self.places: list[asyncio.Semaphore] = []

    def free(self) -> None:
        """Give the place back; once."""
        while self.places:
            self.places.pop().release()

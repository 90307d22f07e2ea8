"""Waiting until something holds, without sleeping and without polling."""

import asyncio
from collections.abc import Callable

Predicate = Callable[[], bool]


class Watch:
    """A place to wait until a condition on some object holds.

    The owner calls :meth:`poke` after each change. Unlike ``asyncio.Condition`` this
    can be done from plain callbacks, which is all that a raw protocol has.
    """

    def __init__(self, describe: Callable[[], str]) -> None:
        """Create a watch.

        Args:
            describe: Tells what has been seen so far; used when a wait times out.
        """
        self._describe = describe
        self._waiting: list[tuple[Predicate, asyncio.Future[None]]] = []

    def poke(self) -> None:
        """Wake every waiter whose condition holds now."""
        for holds, future in self._waiting:
            if not future.done() and holds():
                future.set_result(None)

    async def until(self, holds: Predicate, what: str, timeout: float = 10.0) -> None:
        """Wait until *holds* returns true.

        Args:
            holds: Looked at now and after each poke.
            what: Words for the error.
            timeout: Seconds after which the wait is given up.

        Raises:
            AssertionError: If *timeout* has passed; it says what was seen instead.
        """
        if holds():
            return
        entry = (holds, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(timeout):
                await entry[1]
        except TimeoutError:
            seen = self._describe()
            message = f"no {what} within {timeout:g} s; seen: {seen}"
            raise AssertionError(message) from None
        finally:
            self._waiting.remove(entry)

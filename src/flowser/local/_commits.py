"""Tells nobody of what happened before it is stored: one commit for all at hand.

Source:
    reliability.md section 4, experiments 38 and 45.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

from flowser.local.engine import faults
from flowser.local.engine.facts import Fact
from flowser.local.storage import Store

log = logging.getLogger(__name__)

#: How many turns of the loop a commit waits. From its bytes to the engine a request
#: takes two (aiohttp's connection wakes, then its handler): so those that have come in
#: by now share the commit.
_TURNS = 2

#: Tells somebody what happened; or, with False, that it could not be stored.
Tell = Callable[[bool], None]


class Commits:
    """Takes over what happens, and stores all of a few turns of the loop at once.

    Attributes:
        failing: Whether the store could not be written the last time.
    """

    def __init__(self, store: Store, undo: Callable[[], None]) -> None:
        """Begin with nothing.

        Args:
            store: What is written to.
            undo: Is called when all that was not stored has to be forgotten.
        """
        self.failing = False
        self._store = store
        self._undo = undo
        self._telling: list[Tell] = []
        self._done: asyncio.Future[bool] | None = None

    def take(self, facts: list[Fact], telling: Iterable[Tell]) -> None:
        """Take over what happened.

        Args:
            facts: What is to be stored.
            telling: What is done then.
        """
        if facts:
            self._store.append(facts)
        if not self._store.durable:
            for tell in telling:
                tell(True)  # noqa: FBT003 - its one argument
            return
        self._telling += telling
        if self._done is None and (facts or self._telling):
            loop = asyncio.get_running_loop()
            self._done = loop.create_future()
            loop.call_soon(self._wait, self._done, _TURNS)

    async def finish(self) -> None:
        """Wait until all that was taken is stored.

        Raises:
            Fault: When that cannot be; then it has not happened.
        """
        if self._done is not None and not await asyncio.shield(self._done):
            raise faults.internal()

    def _wait(self, done: "asyncio.Future[bool]", turns: int) -> None:
        if turns:
            asyncio.get_running_loop().call_soon(self._wait, done, turns - 1)
        else:
            self._commit(done)

    def _commit(self, done: "asyncio.Future[bool]") -> None:
        telling, self._telling, self._done = self._telling, [], None
        try:
            self._store.commit()
        except Exception as error:  # noqa: BLE001 - some wait, whatever it is
            log.error("nothing can be written: %s", error)  # noqa: TRY400 - no bug
            self.failing = True
            self._undo()
        for tell in telling:
            tell(not self.failing)
        done.set_result(not self.failing)

    def possible(self) -> bool:
        """Tell whether the store can be written; after a failure, by trying."""
        if self.failing:
            try:
                self._store.probe()
            except OSError:
                return False
            self.failing = False
            log.warning("the store can be written again")
        return True

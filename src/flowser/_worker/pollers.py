"""The loop of one poller: a slot, a poll, a task.

Rules: no poll without a slot; no pause with one; a poll in flight is left alone. When
SWF takes no more pollers, those that are too many stay away for minutes, but never all.

Source:
    DESIGN section 4 rules 1 to 3; reliability.md section 4 experiments 3 to 9 and 35.
"""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Generic, TypeVar

from flowser._backoff import Backoff
from flowser._polling import Health, PollCondition
from flowser._worker.crew import Fields
from flowser._worker.slots import Slot, Slots
from flowser.exceptions import (
    ConfigurationError,
    EmptyTaskPollResult,
    Error,
    LimitExceededFault,
)

R = TypeVar("R")

log = logging.getLogger("flowser.worker")

#: Ceilings of the pauses of a poller that is too many, in seconds; each is at least
#: half of its ceiling: from one minute on, up to ten.
_AWAY = (120.0, 600.0)


class TaskList(Generic[R]):
    """A task list, and what its pollers share.

    Attributes:
        name: Its name.
        slots: What is taken before a poll.
        poll: Polls once; raises EmptyTaskPollResult when there was no task.
        receive: Takes over what a poll brought, with its slot.
        hopeless: Told that polls cannot succeed any more.
        wanted: How many pollers it is to have.
        condition: Tells how its pollers fare.
        pollers: Those that poll, or wait to.
        full: Whether SWF took not even one poller the last time.
    """

    def __init__(
        self,
        domain: str,
        name: str,
        *,
        slots: Slots,
        poll: Callable[[str], Awaitable[R]],
        receive: Callable[[R, str, Slot], None],
        hopeless: Callable[[ConfigurationError, Fields], object],
        wanted: int,
    ) -> None:
        """Have no pollers yet."""
        self.domain = domain
        self.wanted = wanted
        self.name = name
        self.slots = slots
        self.poll = poll
        self.receive = receive
        self.hopeless = hopeless
        self.condition = PollCondition(domain, name)
        self.pollers: list[Poller[R]] = []
        self.full = False

    @property
    def fields(self) -> Fields:
        """What log records about it carry."""
        return {"domain": self.domain, "task_list": self.name}

    @property
    def active(self) -> int:
        """How many pollers poll, and are not too many."""
        return sum(not poller.surplus for poller in self.pollers)

    def tell_cancelled(self) -> None:
        """Tell, if any are in flight, that the worker ends without its polls."""
        held = sum(poller.polling for poller in self.pollers)
        if held:
            self.condition.lost(f"the worker ends, {held} polls were cancelled")


class Poller(Generic[R]):
    """Polls a task list, again and again.

    Attributes:
        polling: Whether a poll is in flight.
        surplus: Whether SWF said that it is too many; then it tries now and then.
    """

    def __init__(self, task_list: TaskList[R]) -> None:
        """Join the pollers of a list."""
        self.polling = False
        self.surplus = False
        self._away = Backoff(*_AWAY)
        self._list = task_list
        self._health = Health(task_list.domain, task_list.name, task_list.condition)
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        task_list.pollers.append(self)

    async def run(self) -> None:
        """Poll until stopped."""
        self._task = asyncio.current_task()
        try:
            while not self._stopping:
                pause = await self._once()
                if pause is None or self._stopping:
                    return
                await asyncio.sleep(pause)
        except asyncio.CancelledError:
            if not self._stopping:
                raise
        finally:
            self._list.pollers.remove(self)
            self._health.ended()

    def stop(self) -> None:
        """Poll no more; what is in flight is waited for."""
        self._stopping = True
        if self._task is not None and not self.polling:
            self._task.cancel()

    async def _once(self) -> float | None:
        """Poll once.

        Returns:
            Seconds to wait before the next poll; None when there is to be none.
        """
        if self.surplus and self._list.full:  # not even the others get through
            return self._away.pause()
        slot = await self._list.slots.take()
        clock = asyncio.get_running_loop().time
        began = clock()
        self.polling = True
        try:
            result = await self._list.poll(self._list.name)
        except Error as error:
            slot.free()
            return self._failed(error, clock() - began)
        except BaseException:
            slot.free()
            raise
        finally:
            self.polling = False
        self._health.succeeded()
        self._taken()
        self._list.receive(result, self._list.name, slot)
        return 0.0

    def _failed(self, error: Error, elapsed: float) -> float | None:
        if isinstance(error, ConfigurationError):
            self._list.hopeless(error, self._list.fields)
            return None
        if isinstance(error, EmptyTaskPollResult):
            if self._stopping:
                return None
            self._taken()
        elif isinstance(error, LimitExceededFault):
            if self.surplus or self._list.active > 1:
                return self._too_many()
            self._list.full = True
        return self._health.failed(error, elapsed)

    # -- when SWF takes no more pollers --

    def _too_many(self) -> float:
        """Stay away for a while; say so when that is new."""
        if not self.surplus:
            self.surplus = True
            self._tell("polling %s with one poller less, %d go on: SWF takes no more")
        return self._away.pause()

    def _taken(self) -> None:
        """Be one of those that go on; say so when that is new."""
        self._list.full = False
        if self.surplus:
            self.surplus = False
            self._away.reset()
            self._tell("polling %s with one poller more again, %d go on")

    def _tell(self, message: str) -> None:
        words = self._list.name, self._list.active
        log.info(message, *words, extra=self._list.fields)


def pollers_of(lists: list[TaskList[Any]]) -> Iterator[Poller[Any]]:
    """Make all pollers: one of each list, then the next, so that slots go round."""
    most = max((task_list.wanted for task_list in lists), default=0)
    for turn, task_list in itertools.product(range(most), lists):
        if turn < task_list.wanted:
            yield Poller(task_list)

"""The loop of one poller: a slot, a poll, a task.

Rules: no poll without a slot; no pause with one; a poll in flight is left alone.

Source:
    DESIGN section 4 rules 1 to 3; reliability.md section 4 experiments 3 to 9 and 35.
"""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Generic, TypeVar

from flowser._polling import Health, PollCondition
from flowser._worker.slots import Slot, Slots
from flowser.exceptions import EmptyTaskPollResult, Error, LimitExceededFault

R = TypeVar("R")

log = logging.getLogger("flowser.worker")


class TaskList(Generic[R]):
    """A task list, and what its pollers share.

    Attributes:
        name: Its name.
        slots: What is taken before a poll.
        poll: Polls once; raises EmptyTaskPollResult when there was no task.
        receive: Takes over what a poll brought, with its slot.
        wanted: How many pollers it is to have.
        condition: Tells how its pollers fare.
        pollers: Those that poll, or wait to.
    """

    def __init__(
        self,
        domain: str,
        name: str,
        *,
        slots: Slots,
        poll: Callable[[str], Awaitable[R]],
        receive: Callable[[R, str, Slot], None],
        wanted: int,
    ) -> None:
        """Have no pollers yet."""
        self.domain = domain
        self.wanted = wanted
        self.name = name
        self.slots = slots
        self.poll = poll
        self.receive = receive
        self.condition = PollCondition(domain, name)
        self.pollers: list[Poller[R]] = []

    def tell_cancelled(self) -> None:
        """Tell, if any are in flight, that the worker ends without its polls."""
        held = sum(poller.polling for poller in self.pollers)
        if held:
            self.condition.lost(f"the worker ends, {held} polls were cancelled")


class Poller(Generic[R]):
    """Polls a task list, again and again.

    Attributes:
        polling: Whether a poll is in flight.
    """

    def __init__(self, task_list: TaskList[R]) -> None:
        """Join the pollers of a list."""
        self.polling = False
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
        self._list.receive(result, self._list.name, slot)
        return 0.0

    def _failed(self, error: Error, elapsed: float) -> float | None:
        if self._stopping and isinstance(error, EmptyTaskPollResult):
            return None
        others = len(self._list.pollers) - 1
        if isinstance(error, LimitExceededFault) and others:
            message = "polling %s with one poller less, %d go on: SWF takes no more"
            fields = {"domain": self._list.domain, "task_list": self._list.name}
            log.info(message, self._list.name, others, extra=fields)
            return None
        return self._health.failed(error, elapsed)


def pollers_of(lists: list[TaskList[Any]]) -> Iterator[Poller[Any]]:
    """Make all pollers: one of each list, then the next, so that slots go round."""
    most = max((task_list.wanted for task_list in lists), default=0)
    for turn, task_list in itertools.product(range(most), lists):
        if turn < task_list.wanted:
            yield Poller(task_list)

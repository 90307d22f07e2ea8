"""The heartbeats of one activity: a timer, and now and then a call.

Strategy: one timer per activity, and no task but while a heartbeat is on its way, so
that ten thousand activities in flight are cheap. The same call serves as a probe at
the activity's start-to-close deadline: the decision may have set another than the
type's, and SWF knows.

Source:
    swf-semantics.md section 1.7 (RecordActivityTaskHeartbeat); DESIGN section 4 rule
    6; reliability.md section 4 experiments 22 to 26.
"""

import asyncio
import contextvars
import logging
import random
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, Protocol

from flowser._backoff import Backoff
from flowser._polling import Condition
from flowser._worker.handlers import seconds
from flowser._worker.held import HeldActivity
from flowser.exceptions import (
    ConfigurationError,
    Error,
    InvalidArgument,
    ResponseLost,
    UnknownResourceFault,
)
from flowser.types import Activity

log = logging.getLogger("flowser.worker")

#: Heartbeats are at most so frequent, and no probe follows another sooner (seconds).
_LEAST = 0.1

#: A heartbeat that is not answered for so long is sent again (seconds, at most).
_PATIENCE = 20.0

#: SWF's clock started before ours; the probe comes so much later than the deadline.
_AFTER = 0.1


class Pace(NamedTuple):
    """When an activity is heartbeated.

    Attributes:
        timeout: Seconds after which SWF misses a heartbeat; None for never.
        interval: Seconds between two heartbeats; between two calls with new details.
        lifetime: Seconds from start to close; None for no limit.
    """

    timeout: float | None
    interval: float
    lifetime: float | None

    @classmethod
    def of(cls, kind: type[Activity], most: float) -> "Pace":
        """Read the timeouts of a type.

        Args:
            kind: The type.
            most: The longest interval, in seconds.

        Raises:
            InvalidArgument: When a timeout is no duration.
        """
        timeout = seconds(kind, "heartbeat_timeout")
        interval = most if timeout is None else max(_LEAST, min(timeout / 3, most))
        return cls(timeout, interval, seconds(kind, "start_to_close_timeout"))

    @property
    def patience(self) -> float:
        """Seconds for one attempt: there is time for three before SWF misses it."""
        if self.timeout is None:
            return _PATIENCE
        return min(_PATIENCE, max(self.timeout / 3, _LEAST))


class Listener(Protocol):
    """What a heart tells its activity."""

    def cancel_requested(self) -> None:
        """The decider wants the task to be canceled."""
        ...

    def over(self, why: str) -> None:
        """SWF has closed the task."""
        ...


class Heart:
    """Heartbeats for one activity from the start of its handler to its answer."""

    def __init__(
        self,
        task: HeldActivity,
        pace: Pace,
        listener: Listener,
        condition: Condition,
        spawn: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"],
    ) -> None:
        """Do not beat yet.

        Args:
            task: The activity task.
            pace: When to beat.
            listener: Who is told what SWF answers.
            condition: Tells how heartbeats fare.
            spawn: Runs a heartbeat.
        """
        self._task = task
        self._pace = pace
        self._listener = listener
        self._condition = condition
        self._spawn = spawn
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._beating: asyncio.Task[None] | None = None
        self._sent: float | None = None  # when a heartbeat that arrived was sent
        self._news = False
        self._stopped = False

    def start(self) -> None:
        """Begin to beat, when it is time."""
        now = self._loop.time()
        self._heard = now  # when SWF is known to have heard from us
        # Many activities start at once: spread their heartbeats.
        self._next = now + self._pace.interval * random.uniform(0.7, 1.0)
        self._probe = now + _AFTER + (self._pace.lifetime or 0.0)
        self._task.on_details(self._noted)
        self._arm()

    def stop(self) -> None:
        """Beat no more."""
        self._stopped = True
        self._disarm()
        if self._beating is not None:
            self._beating.cancel()

    def _noted(self) -> None:
        """Hear, in any thread, of new details; once for many."""
        if not self._news:
            self._news = True
            self._loop.call_soon_threadsafe(self._arm)

    # -- the timer --

    def _arm(self) -> None:
        """Set the timer anew, unless a heartbeat is on its way: it does that."""
        self._disarm()
        if self._stopped or self._beating is not None:
            return
        due = self._due()
        if due is not None:
            # A timer that was cancelled stays with the loop for a while: its context
            # must not keep the task that is current here.
            nothing = contextvars.Context()
            self._timer = self._loop.call_at(due, self._beat, context=nothing)

    def _due(self) -> float | None:
        dues = []
        if self._pace.timeout is not None:
            dues.append(self._next)
        if self._pace.lifetime is not None:
            dues.append(self._probe)
        if self._news:
            now = self._loop.time()
            dues.append(now if self._sent is None else self._sent + self._pace.interval)
        return min(dues, default=None)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _beat(self) -> None:
        self._timer = None
        self._beating = self._spawn(self._persist())
        self._beating.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._beating = None
        if not task.cancelled() and task.exception() is None:
            self._arm()

    # -- a heartbeat --

    async def _persist(self) -> None:
        """Send a heartbeat until it arrives, or it is too late for any."""
        try:
            async with asyncio.timeout_at(self._deadline()):
                wanted = await self._send()
        except UnknownResourceFault as fault:
            self._over(f"SWF says {fault}")
        except TimeoutError:
            self._over(f"no heartbeat arrived for {self._pace.timeout:g} s")
        except ConfigurationError as error:
            self._stopped = True
            message = "no heartbeat can be sent any more: %s"
            log.error(message, error, extra=self._task.fields)  # noqa: TRY400 - no bug
        else:
            if wanted and not self._stopped:
                self._listener.cancel_requested()
        finally:
            self._condition.forget(self)

    def _deadline(self) -> float | None:
        """Say when SWF will have given the task up, if it does not hear of us.

        Never before there was time to ask: the event loop may have been blocked.
        """
        if self._pace.timeout is None:
            return None
        soonest = self._loop.time() + self._pace.patience
        return max(self._heard + self._pace.timeout, soonest)

    async def _send(self) -> bool:
        backoff = Backoff(0.2, min(5.0, self._pace.patience))
        while True:
            began, self._news = self._loop.time(), False
            try:
                async with asyncio.timeout(self._pace.patience):
                    wanted = await self._task.record()
            except (ConfigurationError, UnknownResourceFault):
                raise
            except TimeoutError:
                lost = ResponseLost("RecordActivityTaskHeartbeat", "no answer in time")
                self._condition.ails(self, lost, self._task.fields)
            except Error as error:
                if self._drops_details(error):
                    continue
                self._condition.ails(self, error, self._task.fields)
            else:
                self._arrived(began)
                return wanted
            await asyncio.sleep(backoff.pause())

    def _drops_details(self, error: Error) -> bool:
        """Forget details that cannot be sent: the heartbeat matters more."""
        if self._task.details is None or not isinstance(error, InvalidArgument):
            return False
        message = "the details of a heartbeat cannot be sent, and are dropped: %s"
        log.warning(message, error, extra=self._task.fields)
        self._task.details = None
        return True

    def _arrived(self, began: float) -> None:
        self._condition.well(self)
        self._heard = self._sent = began
        self._next = began + self._pace.interval
        if began >= self._probe:
            wait = max(self._pace.lifetime or 0.0, _LEAST)
            self._probe = self._loop.time() + wait

    def _over(self, why: str) -> None:
        if not self._stopped:
            self._stopped = True
            self._listener.over(why)

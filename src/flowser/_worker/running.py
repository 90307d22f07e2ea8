"""One activity, from its handler's start to its answer, in one asyncio task.

Rules: only the worker cancels that task, never while it runs (so that no cancellation
is left over for the answer), and the handler at most once.

Source:
    DESIGN section 4 rules 4 and 6; reliability.md section 4 experiments 10 to 14, 18,
    20, 22, 24, 25, 28 and 29.
"""

import asyncio
import functools
import inspect
import logging
from typing import Any, NamedTuple, cast

import anyio.to_thread

from flowser._flow.failures import describe, progress
from flowser._worker import telling
from flowser._worker.crew import Crew, Fields
from flowser._worker.failures import Failure, failure, left_behind, reason
from flowser._worker.handlers import Handler
from flowser._worker.heart import Heart, Pace
from flowser._worker.held import HeldActivity
from flowser._worker.slots import Slot
from flowser.activity_tasks import make_current
from flowser.exceptions import Error, InvalidArgument, UnknownResourceFault
from flowser.types import Activity

log = logging.getLogger("flowser.worker")

_STOPPING = "worker stopping"

#: A thread cannot be interrupted: what it does, it does.
_LEFT_BEHIND = "worker stopping; the handler still runs in a thread"

#: Seconds for the reply to an answer, when heartbeats say that the task is closed.
_REPLY = 1.0


class Completed(NamedTuple):
    """The handler returned; ``text`` is its result as it is sent."""

    text: str | None


class Canceled(NamedTuple):
    """The handler let go after a cancel request."""

    details: str | None


class Over(NamedTuple):
    """SWF closed the task meanwhile: there is nothing to answer."""


Outcome = Completed | Canceled | Failure | Over


def _how(outcome: Outcome) -> str:
    return type(outcome).__name__.lower().replace("failure", "failed")


class RunningActivity:
    """An activity task that is being handled."""

    def __init__(
        self,
        task: HeldActivity,
        handler: Handler[Activity] | None,
        pace: Pace,
        slot: Slot,
        crew: Crew,
    ) -> None:
        """Do not begin yet.

        Args:
            task: What was polled.
            handler: What serves its type; None refuses it.
            pace: When it is heartbeated.
            slot: Freed at the end.
            crew: Runs it.
        """
        self._task = task
        self._handler = handler
        self._slot = slot
        self._crew = crew
        spawn = functools.partial(crew.help, running=self)
        self._heart = Heart(task, pace, self, crew.heartbeats, spawn)
        self._asyncio_task: asyncio.Task[Any] | None = None
        self._handling = False
        self._in_thread = False
        self._told = False  # whether the handler was cancelled
        self._cancel_requested = False
        self._stopping = False
        self._over = False
        self._given_up = False
        self._giving_up: asyncio.TimerHandle | None = None

    @property
    def fields(self) -> Fields:
        """What log records about it carry."""
        return self._task.fields

    async def work(self) -> None:
        """Call the handler, then answer."""
        self._asyncio_task = asyncio.current_task()
        self._heart.start()
        try:
            try:
                outcome = await self._handled()
            except GeneratorExit as error:
                # One that a future brings closes all coroutines but this one.
                if left_behind(self._asyncio_task):
                    raise
                outcome = self._failed(error)
            if not self._given_up:
                await self._answer(outcome)
        except asyncio.CancelledError:
            if not self._over:
                raise
            self._count("over")
        finally:
            self._heart.stop()
            if self._giving_up is not None:
                self._giving_up.cancel()
            self._slot.free()

    # -- the handler --

    async def _handled(self) -> Outcome:
        if self._stopping:
            return self._stopped()
        if self._handler is None:
            kind = self._task.activity_type
            words = f"unknown activity type: {kind.name} {kind.version} has no handler"
            return reason(words)
        token = make_current(self._task)
        self._handling = True
        try:
            text = self._task.dumps(await self._call(self._handler))
        except asyncio.CancelledError as error:
            outcome = self._let_go(error)
        except (SystemExit, KeyboardInterrupt) as error:
            outcome = failure(error)
            telling.exits(error, self.fields)
            self._crew.exit()
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - a handler may raise anything
            outcome = self._failed(error)
        else:
            outcome = Completed(text)
        finally:
            self._handling = False
            self._uncancel()
            # Connections that are opened from here on keep this context.
            token.var.reset(token)
        return Over() if self._over and not self._task.answered else outcome

    async def _call(self, handler: Handler[Activity]) -> Any:
        instance: Any = handler.kind(self._task.domain)
        self._task.caller = instance
        instance.task = self._task
        if not handler.threaded:
            return await instance.run(self._task.input)
        given = self._task.input
        self._in_thread = True  # and still, if this is cancelled
        try:
            result = await anyio.to_thread.run_sync(
                instance.run,
                given,
                limiter=self._crew.threads,
                abandon_on_cancel=True,
            )
        finally:
            self._in_thread = self._told
        return await result if inspect.isawaitable(result) else result

    def _let_go(self, error: BaseException) -> Outcome:
        if self._over:
            return Over()
        if self._cancel_requested:
            return Canceled(self._task.details)
        if self._stopping or cast("asyncio.Task[Any]", self._asyncio_task).cancelling():
            return self._stopped()  # or by the host, which ends all its tasks
        return self._failed(error)

    def _stopped(self) -> Failure:
        words, told = _LEFT_BEHIND if self._in_thread else _STOPPING, self._task.details
        if told is None:
            return Failure(words)
        return Failure(words, progress(words, told))

    def _failed(self, error: BaseException) -> Failure:
        told = Failure(failure(error).reason, describe(error, self._task.details)[1])
        log.warning("an activity failed", exc_info=error, extra=self.fields)
        return told

    def _uncancel(self) -> None:
        task = cast("asyncio.Task[Any]", self._asyncio_task)
        while task.cancelling():
            task.uncancel()

    # -- the answer --

    async def _answer(self, outcome: Outcome) -> None:
        how = _how(outcome)
        try:
            if not self._task.answered:
                how = await self._send(outcome)
        except UnknownResourceFault as fault:
            telling.closed(fault, self.fields)
            how = "over"
        except Error as error:
            telling.refused(error, self.fields)
            how = "refused"
        self._count(how)

    def _count(self, how: str) -> None:
        self._crew.counts[f"activities {how}"] += 1

    async def _send(self, outcome: Outcome) -> str:
        """Send the answer, and say what it was."""
        match outcome:
            case Completed(text):
                try:
                    await self._task.complete_with(text)
                except InvalidArgument as error:  # too long: say so, cut nothing
                    return await self._send(self._failed(error))
            case Canceled(details):
                await self._task.cancel(details)
            case Failure(why, details):
                await self._task.fail(details, why)
            case Over():
                pass
        return _how(outcome)

    # -- told by heartbeats --

    def cancel_requested(self) -> None:
        """Cancel the handler, for the decider wants it."""
        self._cancel_requested = True
        self._tell_handler()

    def over(self, why: str) -> None:
        """Cancel the handler, or the answer, for SWF takes none."""
        if self._task.answered and not self._task.answering:
            return  # by us: the heartbeat came too late
        telling.closed(why, self.fields)
        self._over = True
        if self._task.answering:  # it may be that which closed the task
            loop = asyncio.get_running_loop()
            self._giving_up = loop.call_later(_REPLY, self._give_up)
        else:
            self._tell_handler()

    def _give_up(self) -> None:
        if self._task.answering and self._asyncio_task is not None:
            self._asyncio_task.cancel()

    def _tell_handler(self, *, leave_thread: bool = False) -> None:
        self._task.let_go()
        if not self._handling or self._told or self._task.answering:
            return
        threaded = self._handler is not None and self._handler.threaded
        if threaded and not leave_thread:
            return  # a thread cannot be interrupted
        self._told = True
        if self._asyncio_task is not None:
            self._asyncio_task.cancel()

    # -- told by the worker's end --

    def cut_off(self) -> bool:
        """Cancel the handler, if it runs; say whether it did."""
        self._stopping = True
        if self._asyncio_task is None:  # it begins in a moment, and ends then
            return True
        self._tell_handler(leave_thread=True)
        return self._handling and not self._task.answering

    async def answer_for(self) -> None:
        """Answer in place of a handler that does not let go."""
        if not self._handling or not self.unanswered or self._task.answering:
            return
        log.error("the handler does not let go", extra=self.fields)
        self._given_up = True
        self._heart.stop()
        wanted = self._cancel_requested
        await self._answer(Canceled(self._task.details) if wanted else self._stopped())

    @property
    def unanswered(self) -> bool:
        """Whether SWF has still to be told how it ended."""
        told = self._task.answered and not self._task.answering
        return not (told or self._over)

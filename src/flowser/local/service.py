"""One SWF: an engine, a store, and the clock of the running event loop.

Strategy: a request is carried out at once, in memory, and answered when what it changed
is stored. The time is the loop's, so that a loop whose clock jumps turns the clock of
this SWF too, and a wall clock that jumps does not.

Rules: one event loop, one thread. What cannot be stored, or fails half-way, has not
happened: the state is folded again from what is stored. While nothing can be written,
time stands still for those who read, and nobody else gets through.

Source:
    DESIGN sections 4.7 and 5; reliability.md experiments 38 to 49.
"""

import asyncio
import contextlib
import functools
import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar

from flowser.local._clock import Clock
from flowser.local._commits import Commits, Tell
from flowser.local.engine import faults, reading
from flowser.local.engine.engine import Engine
from flowser.local.engine.faults import Fault
from flowser.local.engine.polling import EMPTY
from flowser.local.engine.quotas import Quotas
from flowser.local.engine.world import Invocation, Parked
from flowser.local.functions import run
from flowser.local.storage import Store

log = logging.getLogger(__name__)

T = TypeVar("T")

#: What reads only: these go on while nothing can be written.
_READING = ("Count", "Describe", "Get", "List")

#: Milliseconds until what could not be done is tried again.
_RETRY = 1_000

#: Milliseconds that the wall clock may be behind what is stored, unmentioned.
_BEHIND = 1_000

_Answer = asyncio.Future[bytes | None]


def _always() -> bool:
    return True


class Service:
    """A local SWF, as an asynchronous context manager.

    ::

        async with Service(Store()) as swf:
            answer = await swf.call("ListDomains", body, region="us-east-1")

    Attributes:
        lost: How many tasks were handed to callers of polls that were gone by then.
            They time out, as SWF's do.
    """

    def __init__(
        self,
        store: Store,
        *,
        account: str = "123456789012",
        quotas: Quotas | None = None,
        throttle: bool = False,
        functions: Mapping[str, Callable[..., Any]] | None = None,
        entropy: Callable[[int], bytes] = os.urandom,
        wall: Callable[[], int] = time.time_ns,  # noqa: TID251 - histories bear dates
        second: float = 1.0,
    ) -> None:
        """Begin nothing yet.

        Args:
            store: What is kept; it is closed by whoever opened it.
            account: Twelve digits, for ARNs.
            quotas: SWF's own, if None.
            throttle: Whether to throttle as AWS does.
            functions: Lambda functions, by name.
            entropy: Gives so many random bytes; run ids are made of them.
            wall: Gives nanoseconds since 1970; it is asked once, at the beginning.
            second: How long a second lasts here, in seconds of the loop: a test with
                real processes need not wait for whole ones.
        """
        self.lost = 0
        self._store = store
        self._functions = dict(functions or {})
        self._options: dict[str, Any] = {
            "key": store.key,
            "entropy": entropy,
            "account": account,
            "quotas": quotas,
            "throttle": throttle,
            "functions": frozenset(self._functions),
        }
        self._wall = wall
        self._second = second
        self._engine: Engine | None = None  # None: to be folded from the store
        self._commits = Commits(store, self._undo)
        self._waiting: dict[Parked, _Answer] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._ended = False

    async def __aenter__(self) -> Self:
        """Take over what is stored, and let the clocks run."""
        self._loop = asyncio.get_running_loop()
        wall, last = self._wall() // 1_000_000, self._store.last_at
        if self._store.durable and wall < last - _BEHIND:
            behind = (last - wall) / 1000
            log.warning("the clock is %.0f s behind the last event", behind)
        self._clock = Clock(max(wall, last), self._second, self._expire)
        self._folded().advance(self.now())
        self._settle()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Answer polls that wait as empty, store what is left, and stop the clocks."""
        self.release()
        self._ended = True
        with contextlib.suppress(Fault):  # nobody was told of what is not stored
            await self._commits.finish()
        self._clock.stop()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def now(self) -> int:
        """Tell the time: milliseconds since 1970, on the clock of the loop."""
        return self._clock.now()

    async def call(
        self,
        operation: str,
        body: bytes,
        *,
        region: str,
        present: Callable[[], bool] = _always,
    ) -> bytes:
        """Carry out a request; what it changed is stored when this returns.

        Args:
            operation: Of the 39: ``"StartWorkflowExecution"``.
            body: Its parameters, as JSON.
            region: Of the caller; regions are worlds of their own.
            present: Tells whether the caller of a poll is still there.

        Returns:
            The answer as JSON; empty for void operations.

        Raises:
            Fault: When it is refused, or cannot be stored.
        """
        try:
            reply = self._attempt(
                operation, self._carry_out, operation, body, region, present
            )
        except Fault as fault:
            await self._stored()
            raise fault from None
        if isinstance(reply, Parked):
            return await self._answered(reply)
        try:
            await self._stored()
        except asyncio.CancelledError:
            self._lose(reply)
            raise
        return reply

    def _carry_out(
        self,
        engine: Engine,
        operation: str,
        body: bytes,
        region: str,
        present: Callable[[], bool],
    ) -> bytes | Parked:
        request = reading.read(operation, body)
        now = self._moment(operation)
        return engine.call(now, request, region=region, caller=present)

    def release(self) -> None:
        """Answer all polls that wait as empty; see :meth:`.Engine.release`."""
        if self._engine is not None:
            self._engine.release(self.now())
            self._settle()

    def _moment(self, what: str = "") -> int:
        """Choose the time for an operation, or for something else that changes things.

        Raises:
            Fault: When it cannot be done.
        """
        if self._ended:
            raise faults.internal()
        if self._commits.possible():
            return self._clock.now()
        if not what.startswith(_READING):
            raise faults.internal()
        return self._store.last_at

    def _attempt(self, what: str, change: Callable[..., T], *given: Any) -> T:
        """Let the engine do something, or nothing of it.

        Raises:
            Fault: When it is refused; InternalFailure, when it failed.
        """
        try:
            return change(self._engine or self._folded(), *given)
        except Fault:
            raise
        except OSError as error:
            log.error("%s: the store cannot tell: %s", what, error)  # noqa: TRY400
            if self._engine is not None and self._engine.world.facts:
                self._undo()
            raise faults.internal() from error
        except Exception as error:  # whatever it is: others are not to suffer from it
            log.exception("%s failed inside the server", what)
            self._undo()
            raise faults.internal() from error

    # -- telling --------------------------------------------------------------------

    async def _answered(self, parked: Parked) -> bytes:
        """Wait for the answer to a poll; a caller that goes away takes no task."""
        waiting: _Answer = self._loop.create_future()
        self._waiting[parked] = waiting
        self._settle()
        try:
            answer = await waiting
        except asyncio.CancelledError:
            if not waiting.cancelled():  # it was told, but does not know it yet
                self._lose(waiting.result())
            elif self._waiting.pop(parked, None) and self._engine:
                self._engine.abandon(parked)
            raise
        if answer is None:
            raise faults.internal()
        return answer

    def _lose(self, answer: bytes | None) -> None:
        """Say so when there was a task in an answer that nobody gets."""
        if answer is not None and b'"taskToken":' in answer:
            self.lost += 1
            message = "a task went to a caller that had gone, and times out (%d so far)"
            log.warning(message, self.lost)

    async def _stored(self) -> None:
        """Wait until all that has happened is stored.

        Also after a call that changed nothing, or was refused: it tells of what others
        changed.

        Raises:
            Fault: When that cannot be.
        """
        self._settle()
        await self._commits.finish()

    def _settle(self) -> None:
        """Have stored what happened, and then tell those who wait for it."""
        engine = self._engine
        if engine is None or self._commits.failing or self._ended:
            return
        telling: list[Tell] = [
            functools.partial(self._tell, waiting, answer)
            for parked, answer in engine.take_wakeups()
            if (waiting := self._waiting.pop(parked, None)) is not None
        ]
        telling += [
            functools.partial(self._begin, invocation)
            for invocation in engine.take_invocations()
        ]
        self._commits.take(engine.take_facts(), telling)
        self._set_alarm(engine)

    def _tell(self, waiting: _Answer, answer: bytes, stored: bool) -> None:
        if not waiting.done():
            waiting.set_result(answer if stored else None)
        elif stored:  # its caller went away meanwhile
            self._lose(answer)

    # -- when something fails -------------------------------------------------------

    def _folded(self) -> Engine:
        """Make the engine from what is stored."""
        engine = Engine(self._store, **self._options)
        engine.world.present = _is_present
        for fact in self._store.facts():
            engine.fold(fact)
        engine.resume(self._store.last_at, self._store.last_run)
        self._engine = engine
        return engine

    def _undo(self) -> None:
        """Go back to what is stored, once asked; polls that wait are answered empty."""
        self._engine = None
        waiting, self._waiting = self._waiting, {}
        for parked, answer in waiting.items():
            self._tell(answer, EMPTY[parked.queue.kind], stored=True)
        self._clock.set_alarm(self.now() + _RETRY)

    # -- clocks ---------------------------------------------------------------------

    def _set_alarm(self, engine: Engine) -> None:
        try:
            due = engine.next_deadline()
        except OSError:  # only the store knows whose retention is over
            due = self.now() + _RETRY
        if due is not None:
            self._clock.set_alarm(due)

    def _expire(self, due: int) -> None:
        """Let happen what is due."""
        try:
            self._attempt(
                "what is due",
                lambda engine: engine.advance(max(due, self._moment())),
            )
        except Fault:
            self._clock.set_alarm(self.now() + _RETRY)
        else:
            self._settle()

    # -- Lambda ---------------------------------------------------------------------

    def _begin(self, invocation: Invocation, stored: bool) -> None:
        if stored:
            task = self._loop.create_task(self._invoke(invocation))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _invoke(self, invocation: Invocation) -> None:
        """Run a function, and record what it came to.

        One that runs when the server ends is not run again, for it may have done what
        it does: it times out.
        """
        outcome = await run(self._functions[invocation.name], invocation.input)

        def change(engine: Engine) -> None:
            engine.finished(self._moment(), invocation, outcome)

        while True:
            try:
                self._attempt(f"the end of {invocation.name}", change)
                return await self._stored()
            except Fault:
                await asyncio.sleep(_RETRY / 1000)


def _is_present(caller: Any) -> bool:
    return bool(caller())

"""Threads for workflow code: what blocks or spins there stops nothing else.

Strategy: a few threads, each with one run at a time; a run is in one of them at most.
They are reached by ``loop.run_in_executor``, which clocks of tests know of. They are
daemons, for nobody can end code that sleeps. Code that takes too long is interrupted
by an exception, which ends it if it spins; its thread works for nobody any more.

Source:
    issue 4 section 2 (watchdog); dx.md section 1.2 (running it).
"""

import asyncio
import concurrent.futures
import contextlib
import ctypes
import math
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from flowser.replay.run import Run
from flowser.replay.troubles import Trouble

#: More would not be quicker, for Python runs one at a time; one that is blocked is
#: replaced when it was waited for long enough.
THREADS = 4

_FRAMES = 12


class Blocking(Trouble):
    """Workflow code that does not give its thread back.

    Attributes:
        seconds: For how long.
        stacks: Where its thread is, and where each of its tasks is.
    """

    def __init__(self, seconds: float, stacks: str) -> None:
        super().__init__(seconds, stacks)
        self.seconds = seconds
        self.stacks = stacks

    def __str__(self) -> str:
        words = (
            f"workflow code has run for {self.seconds:.1f} s without waiting: make "
            "what blocks an activity, or allow for more by watchdog=..."
        )
        return f"{words}\n{self.stacks}"


class Interrupted(SystemExit):
    """Raised in a thread whose workflow code takes too long: loops let it pass."""


class Job:
    """A call in a thread.

    Attributes:
        run: Whose code is called.
        future: Of what it returns.
        began: When a thread took it, by the monotonic clock; None before.
        interrupted: Whether its thread was told to end.
        over: Whether the thread has let go of it.
        look: Looks whether it takes too long; for loops whose time stands meanwhile.
    """

    def __init__(self, run: Run, call: Callable[[], Any]) -> None:
        """Wait for a thread.

        Args:
            run: Whose code is called.
            call: What is called.
        """
        self.run = run
        self.future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self.interrupted = False
        self.look: Callable[[], object] | None = None
        self.began: float | None = None
        self._call = call
        self._thread: int | None = None
        self._lock = threading.Lock()
        self.over = False
        self._then: Callable[[], object] | None = None

    def __call__(self) -> None:
        """Do it, in this thread."""
        self._thread, self.began = threading.get_ident(), time.monotonic()
        try:
            if self.future.set_running_or_notify_cancel():
                self._settle(self.future.set_result, self._call())
        except BaseException as error:  # noqa: BLE001 - workflow code may raise anything
            self._settle(self.future.set_exception, _raisable(error))
        with self._lock:
            self.over = True
            then = self._then
        if then is not None:
            then()

    def _settle(self, settle: Callable[[Any], None], with_what: Any) -> None:
        with contextlib.suppress(concurrent.futures.InvalidStateError):
            settle(with_what)

    def then(self, call: Callable[[], object]) -> None:
        """Call something when the thread has let go of the run; at once if it has."""
        with self._lock:
            if not self.over:
                self._then = call
                return
        call()

    def interrupt(self, seconds: float) -> bool:
        """End it, if that can be done, and say where it was.

        Returns:
            Whether it was time: whatever comes of it, its thread is lost.
        """
        with self._lock:
            if self.over or self._thread is None:
                return False
            error = Blocking(seconds, self._stacks(self._thread))
            self.interrupted = True
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._thread), ctypes.py_object(Interrupted)
            )
        self._settle(self.future.set_exception, error)
        return True

    def _stacks(self, thread: int) -> str:
        frame = sys._current_frames().get(thread)  # noqa: SLF001 - there is no other way
        lines = traceback.format_stack(frame)[-_FRAMES:] if frame else []
        with contextlib.suppress(RuntimeError):  # its tasks may change meanwhile
            lines.append(self.run.stack())
        return "".join(lines)


def _raisable(error: BaseException) -> BaseException:
    """Give what a future can bring: anything but StopIteration."""
    return RuntimeError(repr(error)) if isinstance(error, StopIteration) else error


class Executor(concurrent.futures.Executor):
    """Threads that are begun when they are needed, and are not waited for."""

    def __init__(self, most: int = THREADS) -> None:
        """Have no threads yet."""
        self._most = most
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._lock = threading.RLock()  # a garbage collector may come, and shut it down
        self._threads = 0

    def submit(  # type: ignore[override]
        self, job: Job, /
    ) -> "concurrent.futures.Future[Any]":
        """Do a job, in a thread."""
        self._jobs.put(job)
        if not self._idle.acquire(blocking=False):
            self._grow()
        return job.future

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:  # noqa: ARG002 - nobody waits for what may block
        """Let the threads go when they are done."""
        with self._lock:
            for _ in range(self._threads):
                self._jobs.put(None)

    def replace(self) -> None:
        """Count on a thread no longer."""
        with self._lock:
            self._threads -= 1
        if not self._jobs.empty():
            self._grow()

    def _grow(self) -> None:
        with self._lock:
            if self._threads == self._most:
                return
            self._threads += 1
        threading.Thread(target=self._work, name="flowser decider", daemon=True).start()

    def _work(self) -> None:
        with contextlib.suppress(Interrupted):  # which may come late
            while (job := self._next()) is not None:
                job()
                if job.interrupted:
                    return
                del job
            with self._lock:
                self._threads -= 1

    def _next(self) -> Job | None:
        with contextlib.suppress(queue.Empty):
            return self._jobs.get_nowait()
        self._idle.release()
        return self._jobs.get()


class Threads:
    """Does jobs from the event loop, and looks how long they take.

    Attributes:
        patience: Seconds that a job may take; None for any time.
    """

    def __init__(
        self, patience: float | None, executor: Executor | None = None
    ) -> None:
        """Do nothing yet.

        Args:
            patience: Seconds that a job may take; None for any time.
            executor: Whose threads do them; one of their own, if None.
        """
        self.patience = patience
        self._executor = Executor() if executor is None else executor
        self._ending: set[asyncio.Future[Any]] = set()

    def start(self, job: Job) -> "asyncio.Future[Any]":
        """Do a job in a thread, and give a future of its result.

        The future raises Blocking when the job takes too long.
        """
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._executor, job)
        if self.patience is not None and math.isfinite(self.patience):
            look = _Look(job, self.patience, self._executor.replace)
            future.add_done_callback(look.end)
            job.look = look.look
        return future

    def finish(self, job: Job) -> None:
        """Do a job that nobody waits for, but the end."""
        future = self.start(job)
        self._ending.add(future)
        future.add_done_callback(self._finished)

    def _finished(self, future: "asyncio.Future[Any]") -> None:
        self._ending.discard(future)
        if not future.cancelled():
            future.exception()  # of which nobody wants to know

    async def finished(self, seconds: float) -> None:
        """Wait for the jobs that nobody waits for, at most so many seconds."""
        if self._ending:
            await asyncio.wait(tuple(self._ending), timeout=seconds)

    async def close(self, seconds: float) -> None:
        """Wait for jobs that finish, at most so many seconds; let the threads go."""
        await self.finished(seconds)
        self._executor.shutdown()


class _Look:
    """Looks after a time whether a job is done; by the real clock."""

    def __init__(
        self, job: Job, patience: float, replace: Callable[[], object]
    ) -> None:
        self._job = job
        self._patience = patience
        self._replace = replace
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(patience, self.look)

    def end(self, future: "asyncio.Future[Any]") -> None:
        """Look no more; but what nobody waits for any more may still block."""
        if not future.cancelled():
            self._timer.cancel()
            self._job.look = None  # nor does it keep what it was called with

    def look(self) -> None:
        """Interrupt it if it is time; else look again then."""
        self._timer.cancel()
        began = self._job.began
        took = 0.0 if began is None else time.monotonic() - began
        if took >= self._patience:
            if self._job.interrupt(took):
                self._replace()
        else:  # it waited for a thread, or the loop's clock is another
            self._timer = self._loop.call_later(self._patience - took, self.look)

"""A run in memory: its code is called in a thread, its steps are done in the loop.

Source:
    DESIGN section 6; peers.md section 3.4.
"""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from flowser._flow.failures import describe
from flowser._hosted import Hosted
from flowser._threads import Threads
from flowser._worker.crew import Fields
from flowser._worker.observing import observer
from flowser._worker.stepping import Done, Spawn, Stepping
from flowser.events import Event
from flowser.exceptions import InvalidArgument, SerializationError
from flowser.replay.run import Answer, Run

log = logging.getLogger("flowser.worker")

#: What a run, a task of it, and something that it waits for take in memory, in bytes:
#: about so, for what an author keeps in variables is not known.
_RUN, _TASK, _OPEN = 6_000, 2_000, 1_000


class Live(Hosted):
    """A run in memory.

    Attributes:
        run: It.
        bytes: About so many it takes; known after a decision.
        used_at: When it was decided last, by the loop's clock.
    """

    def __init__(self, run: Run, threads: Threads, spawn: Spawn) -> None:
        """Take a run that has not begun.

        Args:
            run: It.
            threads: Where its code runs.
            spawn: Runs its steps.
        """
        super().__init__(run, threads)
        self.bytes = _RUN
        self.used_at = 0.0
        self._spawn = spawn
        self._observer = observer()
        self._seen: list[Event] = []  # for the observer
        self._steps: Stepping | None = None

    async def feed(self, events: Sequence[Event]) -> None:
        """Let it take a part of its history."""
        self._note(events)
        await self.call(partial(self.run.feed, events))

    async def decide(self, events: Sequence[Event], until: float | None) -> Answer:
        """Let it take the rest, and decide.

        Args:
            events: The last of them is the DecisionTaskStarted.
            until: A time of the loop after which steps that are not done are left for
                the next decision; None waits for them.

        Raises:
            Trouble: When it cannot be decided.
            BrokenHistory: When events are missing.
        """
        run = self.run
        self._note(events)
        answer = await self.call(partial(_begun, run, events))
        if answer is None or self._steps is not None:
            answer = await self._stepped(answer, until)
        if self._observer is not None:
            tell = self._observer.decided
            await self.call(partial(tell, run, tuple(self._seen), answer))
        self.bytes = _RUN + _TASK * len(run.loop.tasks) + _OPEN * len(run.bound)
        self.used_at = asyncio.get_running_loop().time()
        return answer

    def _note(self, events: Sequence[Event]) -> None:
        """Remember what an observer is to know."""
        if self._observer is not None:
            last = len(self._seen)
            self._seen += [event for event in events if event.id > last]

    async def _stepped(self, answer: Answer | None, until: float | None) -> Answer:
        """Do its steps, until it can be answered."""
        run = self.run
        steps = self._steps = self._steps or Stepping(self._spawn)
        while answer is None:
            steps.look(run.steps)
            done = await steps.done(until)
            if done:
                answer = await self.call(partial(_gone_on, run, done))
                steps.put_back(done)
            else:
                answer = await self.call(partial(run.take, rest=True))
        steps.look(run.steps)
        if not run.steps:
            self._steps = None
        return answer

    def tell_unhandled(self, fields: Fields) -> None:
        """Log exceptions that nobody retrieved."""
        told, self.run.loop.unhandled = self.run.loop.unhandled, []
        for context in told:
            error = context.get("exception")
            log.error("%s", context.get("message"), exc_info=error, extra=fields)

    def end(self) -> None:
        """Throw it away, when its code has let go of it."""
        if self._steps is not None:
            self._steps.end()
        super().end()


def _begun(run: Run, events: Sequence[Event]) -> Answer | None:
    """Begin a decision; None waits for steps."""
    run.feed(events)
    run.loop.unhandled.clear()  # by what was decided before: it was told then
    run.advance()
    return _answered(run)


def _gone_on(run: Run, done: list[Done]) -> Answer | None:
    """Go on after steps that are done; what has no room in this decision is left."""
    while done and not run.full:
        step, value, failure = done.pop(0)
        try:
            run.finish_step(step, value, failure)
        except (InvalidArgument, SerializationError) as error:  # say so instead
            run.finish_step(step, None, describe(error)[1])
    return _answered(run) or (run.take(rest=True) if run.full else None)


def _answered(run: Run) -> Answer | None:
    over = run.main is None or run.main.done()
    return run.take() if over or not run.steps else None

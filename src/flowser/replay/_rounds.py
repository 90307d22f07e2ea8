"""The queue of a loop: what is called, round by round, in the order of its scheduling.

Source:
    dx.md section 1.2.
"""

import contextvars
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flowser.replay._futures import Handle
from flowser.replay._refusing import Refusing
from flowser.replay.troubles import Spinning

#: Callbacks between two events after which a run is said to spin.
BUDGET = 100_000

#: Rounds after which the loop looks whether anything still changes.
_PATIENCE = 32

#: Handles of tasks that were cancelled one after the other, by the tasks' numbers.
_Burst = list[tuple[int, Handle]]


class Rounds(Refusing):
    """Callbacks that wait.

    Attributes:
        ready: What is called in the next round, in order.
        changes: Counts what is asked of SWF: the loop stands still without.
    """

    def __init__(self, budget: int) -> None:
        """Begin with nothing to do.

        Args:
            budget: Callbacks between two events.
        """
        self.ready: list[Handle] = []
        self.changes = 0
        self._budget = budget
        self._burst: _Burst | None = None

    def call_soon(  # type: ignore[override]
        self,
        *call: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        """Call something, with what follows it, in the next round."""
        if context is None:
            context = contextvars.copy_context()
        handle = Handle(call, context)
        self.ready.append(handle)
        return handle

    def push(self, handle: Handle) -> None:
        """Make a handle ready, a timer's say."""
        self.ready.append(handle)

    def drain(self) -> None:
        """Call what is ready, round by round, until nothing is, or nothing changes.

        A round is what is ready at its beginning. anyio's cancel scopes call
        themselves, and cancel their tasks, again and again for as long as one lives,
        which may be until an activity acknowledges. So a queue that is but for that
        the same round after round, while nothing was asked of SWF, is left for after
        the next event.

        Raises:
            Spinning: When the budget is used up.
        """
        rounds, left = 0, self._budget
        before: list[tuple[Any, ...]] | None = None
        changes = self.changes
        while ready := self.ready:
            rounds += 1
            if rounds > _PATIENCE:
                queue = [handle.call for handle in ready if not handle.again]
                if queue == before and changes == self.changes:
                    return
                before, changes = queue, self.changes
            left -= len(ready)
            if left < 0:
                raise Spinning(self._budget)
            self.ready = []
            for handle in ready:
                call = handle.call
                if call:
                    try:
                        handle.context.run(*call)
                    except (SystemExit, KeyboardInterrupt):
                        raise
                    except BaseException as error:  # noqa: BLE001 - as asyncio's
                        words = f"Exception in callback {call[0]!r}"
                        self.call_exception_handler(
                            {"message": words, "exception": error}
                        )

    @contextmanager
    def in_order(self, number: int) -> Iterator[None]:
        """Wake tasks that are cancelled one after the other in order of creation.

        anyio keeps the scopes inside a scope in a set, by their addresses.
        """
        ready, burst = self.ready, self._burst or []
        before = len(ready)
        if not 0 < len(burst) <= before:
            burst = []
        elif ready[-1] is not burst[-1][1] or ready[-len(burst)] is not burst[0][1]:
            burst = []  # something else was scheduled, or it has run
        self._burst = burst
        yield
        woken = [(number, ready.pop()) for _ in range(before, len(ready))]
        after = [pair for pair in burst if pair[0] > number]
        for _ in after:
            ready.pop()
        for _, handle in woken:
            handle.again = True
        burst[len(burst) - len(after) :] = [*woken, *after]
        ready.extend(handle for _, handle in (*woken, *after))

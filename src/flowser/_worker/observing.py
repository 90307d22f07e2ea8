"""Who is told of each decision of a coroutine workflow, before it is answered.

Nobody, unless somebody asks: ``flowser.testing`` makes each decision once more, from
nothing, and compares. It has to know of the decisions of all workers of a process, by
whatever way they reach SWF, so this is no option of a worker.

Source:
    issue 4 section 3.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from flowser.events import Event
from flowser.replay.run import Answer, Run


class Observer(Protocol):
    """Somebody who wants to know."""

    def decided(self, run: Run, events: Sequence[Event], answer: Answer) -> None:
        """Hear of a decision, in the thread in which workflow code runs.

        Args:
            run: What made it, kept or new; it is to be looked at only.
            events: The whole history that it saw, event 1 first.
            answer: What it answers.
        """
        ...


_observers: list[Observer | None] = []


@contextmanager
def observed(by: Observer | None) -> Iterator[None]:
    """Tell somebody of all decisions for as long as a block lasts, and nobody else.

    Runs that are in memory already are told of when they are replayed.

    Args:
        by: Whom; None for nobody.
    """
    _observers.append(by)
    try:
        yield
    finally:
        _observers.reverse()  # it may not be the latest one: remove the last that is it
        _observers.remove(by)
        _observers.reverse()


def observer() -> Observer | None:
    """Give who is told; None for nobody."""
    return _observers[-1] if _observers else None

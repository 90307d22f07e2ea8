"""Every decision that workers of this process make, made again from nothing.

Strategy: before a worker answers a decision task of a coroutine workflow, the history
that it saw is replayed by a new run, twice, and what these decide must be what the
worker is about to answer. So a run that was kept is compared with one that was not,
and code that depends on what is not in the history is found by the test that runs it,
not by the first deployment.

Rules:

- The history is what the worker has read: nothing more is asked of SWF.
- Steps are not done again; what they came to is read from the answer.
- What differs does not stop the worker: the test goes on, and fails at its end.
- A decision of a history that is long is checked when it has grown by a twentieth, or
  closes the run: a thousand decisions would take a million events to replay.

Source:
    issue 4 sections 3 and 4.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

from flowser._worker.observing import observed, observer
from flowser.events import Event
from flowser.exceptions import Error
from flowser.replay.run import Answer, Run
from flowser.testing.outcomes import (
    REMEDIES,
    Outcome,
    Title,
    decide_again,
    difference,
    outcome,
)
from flowser.testing.seeds import Decided, HashSeeds

log = logging.getLogger("flowser.testing")

#: How often a decision is made again.
_TIMES = 2

#: Events up to which every decision is checked; and by how much a history that has
#: more must have grown since the last check.
_SHORT, _GROWN = 1_000, 1.05


class DifferentDecision(Error, AssertionError):
    """A decision that was made again, from the same history, was another one.

    Attributes:
        reports: What each of them was, and what it was again.
    """

    def __init__(self, reports: Sequence[str]) -> None:
        super().__init__(tuple(reports))
        self.reports = tuple(reports)

    def __str__(self) -> str:
        return "\n\n".join([*self.reports, REMEDIES])


class Checked(NamedTuple):
    """What was checked of a run.

    Attributes:
        run: What it runs, and its ids.
        events: The longest history.
        outcomes: What was decided, by the number of events.
    """

    run: Run
    events: Sequence[Event]
    outcomes: dict[int, Outcome]


#: A run, and its code, which another worker may have in another version.
_Key = tuple[str, str, Any]


def _key(run: Run) -> _Key:
    return run.workflow_id, run.run_id, getattr(run.program, "kind", None)


class Checks:
    """Makes decisions again, and remembers what differs.

    Attributes:
        count: How many decisions were made again.
        reports: Of what differs; of each run, the first decision that does.
    """

    def __init__(self) -> None:
        """Know of no decision yet."""
        self.count = 0
        self.reports: list[str] = []
        self._runs: dict[_Key, Checked] = {}
        self._different: set[_Key] = set()

    def decided(self, run: Run, events: Sequence[Event], answer: Answer) -> None:
        """Check a decision; see :class:`~flowser._worker.observing.Observer`."""
        if not self._is_due(run, events, answer):
            return
        self.count += 1
        known = outcome(answer)
        for _ in range(_TIMES):
            new = Run(run.workflow_id, run.run_id, run.program)
            again = decide_again(new, events, known)
            title = Title.of(run, events[-1].id, "a replay from nothing")
            report = difference(title, known, again)
            if report is not None:
                log.error("%s; the test fails at its end", title)
                self.reports.append(report)
                self._different.add(_key(run))
                return
        self._keep(new, events, known)

    def _is_due(self, run: Run, events: Sequence[Event], answer: Answer) -> bool:
        key = _key(run)
        if key in self._different:
            return False
        if len(events) <= _SHORT or answer.closes:
            return True
        last = self._runs.get(key)
        return last is None or len(events) >= len(last.events) * _GROWN

    def _keep(self, run: Run, events: Sequence[Event], known: Outcome) -> None:
        key = _key(run)
        outcomes = {} if (last := self._runs.get(key)) is None else last.outcomes
        outcomes[len(events)] = known
        self._runs[key] = Checked(run, events, outcomes)

    def check_seeds(self, seeds: HashSeeds) -> None:
        """Make the decisions again in processes with other hash seeds.

        Args:
            seeds: The processes.
        """
        for run, events, outcomes in self._runs.values():
            decided = Decided.of(run, events, outcomes)
            if decided is not None:
                self.reports += seeds.check(decided)

    def fail(self) -> None:
        """Raise what was found.

        Raises:
            DifferentDecision: When a decision was another one.
        """
        if self.reports:
            raise DifferentDecision(self.reports)


def unchecked_replays() -> AbstractContextManager[None]:
    """Do nothing of the kind in a block, whatever is around it."""
    return observed(None)


@contextmanager
def checked_replays(hash_seeds: HashSeeds | None = None) -> Iterator[Checks]:
    """Make every decision of coroutine workflows again, and compare.

    ::

        with flowser.testing.checked_replays():
            async with flowser.Worker(photos):
                ...

    It is about all workers of this process. In a block within such a block, it is the
    same one; a :class:`LocalSwf` and the fixture ``swf`` of pytest have it by default.
    Workflow code is called three times as often; what it logs is logged once.

    Args:
        hash_seeds: Processes in which it is done again, at the end.

    Yields:
        What is found.

    Raises:
        DifferentDecision: At the end, when a decision was another one; to an exception
            of the block, it is a note.
    """
    known = observer()
    if isinstance(known, Checks):
        yield known
        return
    checks = Checks()
    with observed(checks):
        try:
            yield checks
        except BaseException as error:
            for report in checks.reports:
                error.add_note(report)
            raise
    if hash_seeds is not None:
        checks.check_seeds(hash_seeds)
    checks.fail()

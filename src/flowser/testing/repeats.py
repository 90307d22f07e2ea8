"""Questions that get the same answer again and again, and may as well wait for news.

A worker polls every minute, and who waits for a result looks several times a minute: in
a month of virtual time, a quarter of a million calls that learn nothing. So a question
that got the same answer some times in a row is held until something happens in SWF, or
for a minute, as SWF holds a poll. And when the next timer is minutes away, the time
goes on by minutes in which nothing can happen, and the questions stay where they are.

Nobody is told what is not true; but who counts, or times, questions that learn nothing
will find them to take long.
"""

import asyncio
import math
import re
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import NamedTuple

from flowser.local.protocol import Answer
from flowser.testing.clock import MOST

#: After so many times, a question is held.
_TIMES = 5

#: Virtual seconds before a timer in which all is as ever: a worker that stops gives its
#: polls 70 seconds to end.
_AHEAD = 120.0

#: Without any timer, questions that end, and come back so often, change nothing more.
_ROUNDS = 3

#: Different questions that are known, at most: those that were asked last.
_KNOWN = 1_000

#: Longer answers are not kept to compare.
_MOST_BYTES = 65_536

#: Times that differ by less are the same, in seconds.
_EQUAL = 1e-6

#: Page tokens bear the time at which they were given.
_PAGE_TOKEN = re.compile(rb'"nextPageToken":"[^"]*"')

#: What only asks.
_ASKING = ("Count", "Describe", "Get", "List", "PollFor")


class Question(NamedTuple):
    """Something that a client asks.

    Attributes:
        operation: Of SWF.
        key: The same for the same question of the same client.
        polls: Whether it is a poll, which SWF answers when there is a task.
        ask: Asks.
        promises: Tells whether a poll would bring something, now that there is news.
    """

    operation: str
    key: Hashable
    polls: bool
    ask: Callable[[], Awaitable[Answer]]
    promises: Callable[[], Awaitable[bool]]


class _Known:
    """What a question was answered, and how many times in a row.

    Attributes:
        answer: The last one.
        times: How often it was the same as the one before.
        heard: The news of which it was known that they change nothing.
        at: The time of the last answer.
    """

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.times = 0
        self.heard = 0
        self.at = -math.inf

    def note(self, answer: Answer, times: int) -> None:
        """Compare with the answer before, which was given *times* in a row."""
        same = self.answer is not None and _told(self.answer) == _told(answer)
        self.times = times + 1 if same else 0
        known = answer.status == 200 and len(answer.body) <= _MOST_BYTES  # noqa: PLR2004
        self.answer = answer if known else None


class _Held:
    """A question that waits for news.

    Attributes:
        end: When it waits no longer.
        polls: Whether it is a poll.
        over: Whether its end has come.
    """

    def __init__(self, end: float, *, polls: bool) -> None:
        self.end = end
        self.polls = polls
        self.over = False
        self._awake = asyncio.Event()

    async def wait(self) -> None:
        """Wait for news, or the end."""
        self._awake.clear()
        await self._awake.wait()

    def wake(self) -> None:
        """Let it look for news."""
        self._awake.set()

    def arrive(self, now: float, hold: float) -> None:
        """End now; or so many holds later, if that time was left out."""
        late = now - self.end
        if late > _EQUAL:
            self.end += math.ceil(late / hold) * hold
        elif late >= -_EQUAL:
            self.over = True
            self.wake()


class Repeats:
    """Holds questions until there is news; a :class:`~.clock.Follower` of the clock."""

    def __init__(self, time: Callable[[], float], hold: float) -> None:
        """Know no questions yet.

        Args:
            time: Tells the virtual time.
            hold: Seconds for which SWF holds a poll.
        """
        self._time = time
        self._hold = hold
        self._known: OrderedDict[Hashable, _Known] = OrderedDict()
        self._held: set[_Held] = set()
        self._heard = 0  # how often there was news
        self._rounds = 0

    async def answer(self, question: Question) -> Answer:
        """Ask a question, when it makes sense to."""
        if not question.operation.startswith(_ASKING):
            return await question.ask()
        known = self._recall(question.key)
        if not question.polls and self._time() <= known.at + _EQUAL:
            return await question.ask()  # nobody waits who does not let time go on
        try:
            return await self._told_now(question, known)
        except BaseException:
            known.heard = -1  # it was told nothing: what there was is news again
            raise

    async def _told_now(self, question: Question, known: _Known) -> Answer:
        times = known.times  # of those that were answered before this one was asked
        answer = known.answer if times >= _TIMES else None
        if answer is None or await self._promising(question, known):
            known.heard = self._heard
            answer = await question.ask()
        else:
            answer = answer._replace(headers=answer.headers | _request_id())
        known.note(answer, times)
        known.at = self._time()
        return answer

    def _recall(self, key: Hashable) -> _Known:
        known = self._known.setdefault(key, _Known())
        self._known.move_to_end(key)
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)
        return known

    async def _promising(self, question: Question, known: _Known) -> bool:
        """Wait until it makes sense to ask, or a poll is over."""
        held = _Held(self._time() + self._hold, polls=question.polls)
        while True:
            if known.heard < self._heard:
                known.heard = self._heard
                if not held.polls or await question.promises():
                    return True
            elif held.over:
                return not held.polls
            else:
                await self._wait(held)

    async def _wait(self, held: _Held) -> None:
        self._held.add(held)
        try:
            await held.wait()
        finally:
            self._held.discard(held)

    def news(self) -> None:
        """Hear that something happened in SWF."""
        self._heard += 1
        self._rounds = 0
        for held in self._held:
            held.wake()

    def release(self) -> None:
        """Let the polls that wait for news come back without."""
        for held in self._held:
            if held.polls:
                held.over = True
                held.wake()

    # -- as a follower of the clock --

    def ahead(self, seconds: float) -> float:
        """Say how far the clock may go, of the seconds to the next timer."""
        self._rounds = self._rounds + 1 if seconds == math.inf else 0
        if not self._held or self._rounds > _ROUNDS * len(self._held):
            return seconds
        if math.inf > seconds > _AHEAD:  # in MOST seconds, there may be none
            return seconds if seconds == MOST else seconds - _AHEAD
        first = min(held.end for held in self._held)
        return min(seconds, max(0.0, first - self._time()))

    def arrive(self) -> None:
        """Let end what ends at this time."""
        for held in self._held:
            held.arrive(self._time(), self._hold)


def _told(answer: Answer) -> bytes:
    return _PAGE_TOKEN.sub(b"", answer.body)


def _request_id() -> dict[str, str]:
    return {"x-amzn-RequestId": str(uuid.uuid4())}

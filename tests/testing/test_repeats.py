"""Questions that are held: they cost nothing, and nobody can tell."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from flowser.local.protocol import Answer
from flowser.testing.clock import Clock, virtual_time
from flowser.testing.repeats import Question, Repeats

DAY, MINUTE = 86_400, 60
NONE = Answer(200, {}, b'{"startedEventId":0}')


class Swf:
    """Answers polls and other questions, and counts them.

    Attributes:
        asked: How many questions there were.
        tasks: What waits to be handed out.
        body: The answer to a question.
        refuses: Whether nobody is there.
    """

    def __init__(self, clock: Clock) -> None:
        self.repeats = Repeats(clock.time, MINUTE)
        clock.followers.append(self.repeats)
        self.asked = 0
        self.tasks: list[bytes] = []
        self.body = b"{}"
        self.status = 200
        self.refuses = False
        self._waiting: list[asyncio.Future[Answer]] = []

    def add(self, task: bytes) -> None:
        """Hand out a task, to whoever waits longest."""
        waiting = [poll for poll in self._waiting if not poll.done()]
        if waiting:
            waiting[0].set_result(Answer(200, {}, task))
        else:
            self.tasks.append(task)
        self.repeats.news()

    async def poll(self, key: str = "key") -> bytes:
        """Poll once."""
        return await self._put("PollForActivityTask", key, self._poll, polls=True)

    async def read(self, key: str = "key") -> bytes:
        """Ask something else."""
        return await self._put("DescribeDomain", key, self._read, polls=False)

    async def _put(
        self, name: str, key: str, ask: Callable[[], Awaitable[Answer]], *, polls: bool
    ) -> bytes:
        question = Question(name, (name, key), polls, ask, self._promises)
        return (await self.repeats.answer(question)).body

    async def _promises(self) -> bool:
        if self.refuses:
            raise ConnectionError
        return bool(self.tasks)

    async def _poll(self) -> Answer:
        self.asked += 1
        if self.tasks:
            return Answer(200, {}, self.tasks.pop(0))
        poll: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append(poll)
        try:
            async with asyncio.timeout(MINUTE):
                return await poll
        except TimeoutError:
            return NONE

    async def _read(self) -> Answer:
        self.asked += 1
        return Answer(self.status, {}, self.body)


@pytest.fixture
async def clock() -> AsyncIterator[Clock]:
    with virtual_time() as clock:
        yield clock


@pytest.fixture
async def swf(clock: Clock) -> Swf:
    return Swf(clock)


async def polls(swf: Swf, clock: Clock) -> AsyncIterator[tuple[bytes, float]]:
    """Poll for ever; give each answer, and the time it took."""
    while True:
        began = clock.time()
        body = await swf.poll()
        yield body, clock.time() - began


async def test_polls_take_a_minute_as_long_as_there_are_timers(
    swf: Swf, clock: Clock
) -> None:
    async def ticking() -> None:
        while True:  # noqa: ASYNC110 - time is what it is for
            await asyncio.sleep(17)

    ticks = asyncio.get_running_loop().create_task(ticking())
    number = 0
    async for body, seconds in polls(swf, clock):
        assert body == NONE.body
        assert seconds == pytest.approx(MINUTE)
        number += 1
        if number == 100:
            break
    ticks.cancel()
    assert swf.asked < 10


async def test_polls_end_in_their_time_before_and_after_a_leap(
    swf: Swf, clock: Clock
) -> None:
    began = clock.time()
    ended: list[float] = []

    async def poll() -> None:
        async for _ in polls(swf, clock):
            ended.append(clock.time() - began)  # noqa: PERF401 - it is cancelled

    polling = asyncio.get_running_loop().create_task(poll())
    await asyncio.sleep(10 * DAY + 7)
    await asyncio.sleep(90)
    polling.cancel()
    phases = [seconds % MINUTE for seconds in ended]
    assert [min(phase, MINUTE - phase) for phase in phases] == pytest.approx(
        [0.0] * len(phases), abs=1e-3
    )
    assert len([at for at in ended if at > 10 * DAY - 2 * MINUTE]) >= 3
    assert len(ended) < 20


async def test_task_is_brought_at_once_whenever_it_comes(
    swf: Swf, clock: Clock
) -> None:
    async def add() -> None:
        for task in range(50):
            await asyncio.sleep(task * 997)
            swf.add(b"%d %f" % (task, clock.time()))

    adding = asyncio.get_running_loop().create_task(add())
    brought: list[bytes] = []
    async for body, _ in polls(swf, clock):
        if body != NONE.body:
            number, at = body.split()
            assert float(at) == pytest.approx(clock.time(), abs=1e-3)
            brought.append(number)
        if len(brought) == 50:
            break
    assert brought == [b"%d" % task for task in range(50)]
    await adding


async def test_each_task_goes_to_one_of_many_pollers(swf: Swf, clock: Clock) -> None:
    brought: list[bytes] = []

    async def poll() -> None:
        async for body, _ in polls(swf, clock):
            if body != NONE.body:
                brought.append(body)

    async with asyncio.TaskGroup() as group:
        polling = [group.create_task(poll()) for _ in range(20)]
        await asyncio.sleep(DAY)
        for task in range(30):
            swf.add(b"%d" % task)
        await asyncio.sleep(DAY)
        for poller in polling:
            poller.cancel()
    assert sorted(brought, key=int) == [b"%d" % task for task in range(30)]


async def test_task_that_comes_as_a_poll_ends_is_not_lost(
    swf: Swf, clock: Clock
) -> None:
    async def add() -> None:
        for task in range(20):
            await asyncio.sleep(MINUTE)
            swf.add(b"%d" % task)

    adding = asyncio.get_running_loop().create_task(add())
    brought: list[bytes] = []
    async for body, _ in polls(swf, clock):
        brought += [body] if body != NONE.body else []
        if len(brought) == 20:
            break
    assert brought == [b"%d" % task for task in range(20)]
    await adding


async def test_task_whose_poll_was_cut_off_is_brought_by_the_next_one(
    swf: Swf, clock: Clock
) -> None:
    """A server that is restarted loses the poll that the news has just woken."""

    async def poll() -> None:
        async for _ in polls(swf, clock):
            pass

    polling = asyncio.get_running_loop().create_task(poll())
    await asyncio.sleep(10 * MINUTE + 1)
    swf.refuses = True
    swf.add(b"task")
    with pytest.raises(ConnectionError):
        await polling
    swf.refuses = False
    began = clock.time()
    assert await swf.poll() == b"task"
    assert clock.time() == began


async def test_news_of_others_leave_a_poll_its_end(swf: Swf, clock: Clock) -> None:
    async def news() -> None:
        while True:
            await asyncio.sleep(7)
            swf.repeats.news()

    others = asyncio.get_running_loop().create_task(news())
    number = 0
    async for _, seconds in polls(swf, clock):
        assert seconds == pytest.approx(MINUTE)
        number += 1
        if number == 30:
            break
    others.cancel()


async def test_poll_that_is_cancelled_is_forgotten(swf: Swf, clock: Clock) -> None:
    for _ in range(6):
        await swf.poll()
    asked = swf.asked
    polling = asyncio.get_running_loop().create_task(swf.poll())
    await clock.settle()
    assert swf.asked == asked  # it is held
    polling.cancel()
    await clock.settle()
    swf.add(b"task")
    assert await swf.poll() == b"task"


async def test_questions_are_few_when_nothing_happens(swf: Swf, clock: Clock) -> None:
    async def wait() -> None:
        while await swf.read() == b"{}":  # noqa: ASYNC110 - as clients do
            await asyncio.sleep(15)

    waiting = asyncio.get_running_loop().create_task(wait())
    await asyncio.sleep(100 * DAY)
    assert swf.asked < 20
    swf.body = b'{"new":1}'
    swf.repeats.news()
    began = clock.time()
    await waiting
    assert clock.time() - began < 16


async def test_question_that_is_not_repeated_is_answered(
    swf: Swf, clock: Clock
) -> None:
    for number in range(20):
        assert await swf.read(str(number)) == b"{}"
        await asyncio.sleep(1)
    assert swf.asked == 20


async def test_questions_without_a_pause_are_answered(swf: Swf, clock: Clock) -> None:
    began = clock.time()
    for _ in range(20):
        assert await swf.read() == b"{}"
    assert clock.time() == began
    assert swf.asked == 20


async def test_errors_are_no_answers_to_compare(swf: Swf, clock: Clock) -> None:
    """A bucket fills again without news."""
    swf.status = 400
    began = clock.time()
    for _ in range(20):
        await swf.read()
        await asyncio.sleep(1)
    assert clock.time() - began == pytest.approx(20)


async def test_page_token_makes_no_difference(swf: Swf, clock: Clock) -> None:
    for number in range(20):
        swf.body = b'{"events":[],"nextPageToken":"%d"}' % number
        await swf.read()
        await asyncio.sleep(1)
    began = clock.time()
    await swf.read()
    assert clock.time() - began == pytest.approx(MINUTE)


async def test_long_answers_are_not_kept(swf: Swf, clock: Clock) -> None:
    swf.body = b"x" * 100_000
    for _ in range(20):
        await swf.read()
        await asyncio.sleep(1)
    assert swf.asked == 20


async def test_only_the_last_questions_are_known(swf: Swf, clock: Clock) -> None:
    for number in range(2_000):
        await swf.read(str(number))
    assert len(swf.repeats._known) == 1_000

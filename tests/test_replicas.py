"""Replicas: long histories in pages, code that blocks, and what is left afterwards."""

import asyncio
import contextvars
import threading
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from flowser import flow, requests, results
from flowser.domain import Domain
from flowser.events import Event
from flowser.exceptions import BrokenHistory, InvalidArgument, ValidationFailed
from flowser.executions import WorkflowExecution
from flowser.testing import LocalSwf
from flowser.worker import Worker
from tests.flows import domain_of, double, started, workflow

HISTORY = "GetWorkflowExecutionHistory"
EXPIRED = "Specified token has exceeded its maximum lifetime"


@workflow
async def counting() -> int:
    """Count signals."""
    count = 0
    async for _ in flow.signals("tick"):
        count += 1
    return count


class Paged(Domain):
    """An SWF whose pages have three events, and are as new as the moment they are read.

    Attributes:
        asked: The numbers of the pages that were asked for.
        before: Called before each page; it may raise what SWF would.
        change: Called with each page.
    """

    name = "given"
    workflow_types = [counting]

    def __init__(self, conn: Any) -> None:
        super().__init__(conn)
        self.asked: list[int] = []
        self.before: Callable[[int], Awaitable[None]] = self._nothing
        self.change: Callable[[int, list[Event], str | None], Any] = _unchanged

    async def _nothing(self, page: int) -> None:
        """Let it be read."""

    async def call(self, request: requests.Request[Any], /) -> Any:
        if not isinstance(request, requests.GetWorkflowExecutionHistory):
            return await super().call(request)
        page = int(request.next_page_token or 0)
        self.asked.append(page)
        await self.before(page)
        whole = await super().call(
            requests.GetWorkflowExecutionHistory(
                domain=self.name, execution=request.execution
            )
        )
        events = whole.events[3 * page : 3 * page + 3]
        more = str(page + 1) if len(whole.events) > 3 * page + 3 else None
        events, more = self.change(page, events, more)
        return results.History(events=events, next_page_token=more)


class Page(list[Event]):
    """Its end can be seen, and it is equal to itself only."""

    __hash__ = object.__hash__  # type: ignore[assignment]
    __eq__ = object.__eq__


def _unchanged(page: int, events: list[Event], token: str | None) -> Any:
    return events, token


async def begun(swf: LocalSwf, kind: Any, ticks: int = 0) -> WorkflowExecution:
    """Start a run that nobody decides."""
    domain = domain_of([kind])(swf.conn)
    await domain.register()
    handle = await started(domain, kind)
    for _ in range(ticks):
        await handle.signal("tick")
    return handle


async def counted(swf: LocalSwf, ticks: int) -> Paged:
    """Let a worker count; 4 events are those of the start and of its decision."""
    handle = await begun(swf, counting, ticks)
    domain = Paged(swf.conn)
    async with Worker(handle.caller.domain, sticky=False):
        await swf.settle()
    return domain


async def ask(domain: Domain) -> int:
    handle = domain.execution("w-1")
    found: int = await handle.query(lambda workflow: workflow.count)
    return found


# -- histories --


async def test_a_history_is_replayed_page_by_page_and_pages_are_let_go(
    swf: LocalSwf,
) -> None:
    domain = await counted(swf, 10)
    kept: weakref.WeakSet[Page] = weakref.WeakSet()
    alive: list[int] = []

    def noted(page: int, events: list[Event], token: str | None) -> Any:
        alive.append(len(kept))
        kept.add(made := Page(events))
        return made, token

    domain.change = noted
    assert await ask(domain) == 10
    assert domain.asked == [0, 1, 2, 3, 4]
    assert max(alive) == 1, "the page that was fed last"


async def test_a_history_that_grows_meanwhile_is_taken_as_it_is_read(
    swf: LocalSwf,
) -> None:
    domain = await counted(swf, 3)

    async def signal(page: int) -> None:
        if page == 1:
            await domain.execution("w-1").signal("tick")

    domain.before = signal
    assert await ask(domain) == 4


async def test_a_token_that_has_expired_is_got_over(swf: LocalSwf) -> None:
    domain = await counted(swf, 10)

    async def expire(page: int) -> None:
        if domain.asked in ([0, 1, 2], [0, 1, 2, 0, 1, 2, 3]):
            raise ValidationFailed(HISTORY, "ValidationException", EXPIRED)

    domain.before = expire
    assert await ask(domain) == 10
    assert domain.asked == [0, 1, 2, 0, 1, 2, 3, 0, 1, 2, 3, 4]


async def test_tokens_that_always_expire_are_not_asked_for_again_and_again(
    swf: LocalSwf,
) -> None:
    domain = await counted(swf, 10)

    async def expire(page: int) -> None:
        if page == 2:
            raise ValidationFailed(HISTORY, "ValidationException", EXPIRED)

    domain.before = expire
    with pytest.raises(ValidationFailed, match=EXPIRED):
        await ask(domain)
    assert domain.asked == [0, 1, 2, 0, 1, 2]


async def test_what_is_refused_without_a_token_is_refused(swf: LocalSwf) -> None:
    domain = await counted(swf, 1)
    swf.faults.fail(HISTORY, "ValidationException")
    with pytest.raises(ValidationFailed):
        await ask(domain)


async def test_pages_may_be_empty(swf: LocalSwf) -> None:
    domain = await counted(swf, 2)

    def first_empty(page: int, events: list[Event], token: str | None) -> Any:
        return (events, token) if domain.asked.count(page) > 1 else ([], f"0{page}")

    domain.change = first_empty
    assert await ask(domain) == 2
    assert domain.asked == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _, events, __: (events, "1"), "leads back to itself"),
        (lambda _, __, ___: ([], None), "has no events"),
        (lambda _, events, token: (events[1:], token), "the start is missing"),
        (lambda page, events, token: (events[page:], token), "event 5 follows event 3"),
    ],
)
async def test_pages_that_do_not_fit_are_told(
    swf: LocalSwf, change: Any, words: str
) -> None:
    domain = await counted(swf, 10)
    domain.change = change
    with pytest.raises(BrokenHistory, match=words):
        await ask(domain)


# -- what is left --


async def test_several_questions_can_be_asked_of_one_replica(swf: LocalSwf) -> None:
    domain = await counted(swf, 4)
    async with domain.replica(domain.execution("w-1")) as replica:
        assert await replica.ask(lambda workflow: workflow.count) == 4
        assert "in counting" in await replica.stack()
    assert domain.asked == [0, 1, 2]


async def test_in_the_loop_itself_it_is_as_in_a_thread(swf: LocalSwf) -> None:
    handle = await begun(swf, counting, 2)
    here = threading.get_ident()
    ask = threading.get_ident
    assert await handle.query(lambda _: ask(), watchdog=None) == here
    assert await handle.query(lambda _: ask()) != here
    assert await handle.query(lambda run: run.count, watchdog=None) == 2


async def test_coroutines_are_ended_before_the_answer_is_given(swf: LocalSwf) -> None:
    ended: list[bool] = []

    @workflow
    async def cleaning() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(asyncio.get_running_loop().is_closed())
            await asyncio.sleep(1)

    handle = await begun(swf, cleaning)
    assert await handle.query(lambda _: len(ended)) == 0
    assert ended == [True]


@pytest.mark.parametrize("watchdog", [10.0, None])
async def test_a_function_is_called_in_the_context_of_the_caller(
    swf: LocalSwf, watchdog: float | None
) -> None:
    var = contextvars.ContextVar[str]("var")
    handle = await begun(swf, counting)
    var.set("here")
    assert await handle.query(lambda _: var.get(), watchdog=watchdog) == "here"


async def test_an_async_function_is_refused(swf: LocalSwf) -> None:
    async def look(order: Any) -> int:
        return int(order.count)

    handle = await begun(swf, counting)
    for fn in (look, lambda _: asyncio.sleep(3), lambda _: double.start(3)):
        with pytest.raises(InvalidArgument, match="fn is async: pass a plain function"):
            await handle.query(fn)
    name: Any = "state"
    with pytest.raises(InvalidArgument, match="fn is 'state': pass a function"):
        await handle.query(name)

"""The generators of a domain poll on, whatever the polls bring."""

import asyncio
import logging
from typing import Any

import pytest

from flowser import exceptions
from flowser.exceptions import (
    AccessDenied,
    UnknownResourceFault,
    ValidationFailed,
)
from tests.declared import Album, Photos, connected, logged
from tests.histories import began, decision_task, marker
from tests.loops import BOTH, DECISION, Loop
from tests.support.answers import (
    SERVICE,
    Fault,
    Lost,
    internal_failure,
    limit_exceeded,
    throttled,
    unknown_resource,
)
from tests.support.scripted import EMPTY_POLL, ScriptedSwf


async def test_stop_ends_a_pause_between_failing_polls(scripted: ScriptedSwf) -> None:
    scripted.always(DECISION, limit_exceeded())  # a pause of more than a second
    clock = asyncio.get_running_loop().time
    async with connected(scripted.url) as conn, asyncio.TaskGroup() as group:
        photos = Photos(conn)
        rest = group.create_task(anext(photos.decisions(Album), None))
        await scripted.received(DECISION)
        stopped = clock()
        photos.stop()
        assert await rest is None
    assert clock() - stopped < 0.9
    assert scripted.count(DECISION) == 1


@pytest.mark.parametrize(
    "failure", [throttled(), internal_failure(), internal_failure(503), Lost()]
)
@pytest.mark.parametrize("loop", BOTH)
async def test_poll_that_fails_is_repeated_after_a_pause(
    scripted: ScriptedSwf,
    caplog: pytest.LogCaptureFixture,
    loop: Loop,
    failure: Any,
) -> None:
    caplog.set_level(logging.INFO, "flowser")
    scripted.answer(loop.operation, failure, loop.task)
    async with connected(scripted.url) as conn:
        async for _ in loop.iterate(Photos(conn)):
            break
    first, second = scripted.of(loop.operation)
    assert second.at - first.at >= 0.1
    (began_words, ended_words) = logged(caplog)
    assert began_words[0] == "WARNING"
    assert ended_words == ("INFO", f"polling {loop.task_list} works again")


async def test_polls_that_come_back_empty_at_once_do_not_spin(
    scripted: ScriptedSwf,
) -> None:
    scripted.always(DECISION, EMPTY_POLL)
    async with connected(scripted.url) as conn, asyncio.TaskGroup() as group:
        photos = Photos(conn)
        rest = group.create_task(anext(photos.decisions(Album), None))
        third = await scripted.received(DECISION, 3)
        photos.stop()
        await rest
    first, second = scripted.requests[:2]
    assert second.at - first.at >= 0.1
    assert third.at - second.at >= 0.2


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (unknown_resource("Unknown domain: photos"), UnknownResourceFault),
        (Fault("AccessDeniedException", "no", namespace=SERVICE), AccessDenied),
        (Fault("ValidationException", "no"), ValidationFailed),
        (Fault("SomethingNewFault", "no"), exceptions.ServiceError),
    ],
)
@pytest.mark.parametrize("loop", BOTH)
async def test_fault_that_does_not_pass_is_raised(
    scripted: ScriptedSwf,
    loop: Loop,
    fault: Fault,
    raised: type[Exception],
) -> None:
    scripted.always(loop.operation, fault)
    async with connected(scripted.url) as conn:
        with pytest.raises(raised):
            await anext(loop.iterate(Photos(conn)))
    assert scripted.count(loop.operation) == 1


BROKEN = [
    [marker(3), began()],  # event 2 is missing
    [marker(2), marker(2), began()],
    [marker(3), marker(2)],  # the last page, without event 1
]


@pytest.mark.parametrize("found", BROKEN)
async def test_task_with_a_broken_history_is_dropped_and_polling_goes_on(
    scripted: ScriptedSwf,
    caplog: pytest.LogCaptureFixture,
    found: list[dict[str, Any]],
) -> None:
    """One run that nobody can decide must not stop all others."""
    caplog.set_level(logging.INFO, "flowser")
    whole = decision_task([marker(2), began()], taskToken="whole")
    scripted.answer(DECISION, decision_task(found), whole)
    async with connected(scripted.url) as conn:
        async for task in Photos(conn).decisions(Album):
            assert task.task_token == "whole"
            break
    assert [request.operation for request in scripted.requests] == [DECISION] * 2
    ((level, words),) = logged(caplog)
    assert level == "WARNING"
    assert words.startswith("a decision task of albums is dropped, SWF will time it")
    (record,) = (r for r in caplog.records if r.levelno == logging.WARNING)
    assert (record.name, vars(record)["task_list"]) == ("flowser.polling", "albums")

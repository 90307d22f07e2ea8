"""One activity: its handler, its heartbeats, its answer, whatever goes wrong."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

import flowser
from flowser import types
from flowser.exceptions import InvalidArgument
from flowser.limits import Duration
from flowser.worker import Worker
from tests.declared import Photos, Resize, logged
from tests.histories import activity_task
from tests.support.answers import (
    Answer,
    Delayed,
    Fault,
    Hang,
    Lost,
    Recorded,
    Status,
    internal_failure,
    throttled,
    unknown_resource,
)
from tests.support.scripted import ScriptedSwf
from tests.workers import Endless, domain_class, photos, resizing

BEAT = "RecordActivityTaskHeartbeat"
POLL = "PollForActivityTask"
GOES_ON = {"cancelRequested": False}
CANCEL = {"cancelRequested": True}
GONE = unknown_resource("Unknown activity, scheduledEventId = 5")


class Brief(types.Activity):
    """Heartbeats are wanted often."""

    name, version, task_list = "Resize", "1.0", "images"
    heartbeat_timeout = 1


class Silent(types.Activity):
    """No heartbeats are wanted."""

    name, version, task_list = "Resize", "1.0", "images"
    heartbeat_timeout: Duration = "NONE"
    start_to_close_timeout: Duration = "NONE"


class Short(Silent):
    """It may take a second."""

    start_to_close_timeout = 1


@pytest.fixture
async def domain(scripted: ScriptedSwf) -> AsyncIterator[Photos]:
    async with photos(scripted.url) as opened:
        yield opened


@pytest.fixture
def hand_out(scripted: ScriptedSwf) -> None:
    """Give one task to whoever polls first."""
    scripted.always(BEAT, GOES_ON)
    scripted.answer(POLL, activity_task(input='"a.png"'))


def brief(domain: Photos, run: Any, kind: Any = Brief, **options: Any) -> Worker:
    """Make a worker of one slot that heartbeats every tenth of a second."""
    worker = Worker(domain, activities=1, heartbeat_interval=0.1, **options)
    worker.activity(kind)(run)
    return worker


async def answer_of(
    scripted: ScriptedSwf, worker: Worker, how: str = "Completed"
) -> Recorded:
    """Let a worker handle one task, and give its answer."""
    async with worker:
        answer = await scripted.received(f"RespondActivityTask{how}")
        await scripted.received(POLL, 2)
        scripted.release_polls()
    return answer


# -- what a handler makes of its task --


@pytest.mark.usefixtures("hand_out")
async def test_handler_that_raises_fails_with_its_own_frames(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    async def run(given: str) -> None:
        raise ValueError(f"{given} is no picture")

    answer = await answer_of(scripted, resizing(domain, run), "Failed")
    assert answer.params["reason"] == "ValueError: a.png is no picture"
    details = answer.params["details"]
    assert details.startswith("Traceback")
    assert "is no picture" in details
    assert "flowser" not in details
    [record] = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert vars(record)["activity_id"] == "a-1"
    assert vars(record)["workflow_id"] == "album-1"
    assert vars(record)["run_id"] == "run-1"
    assert vars(record)["type"] == "Resize 1.0"
    assert vars(record)["domain"] == "photos"
    assert record.name == "flowser.worker"


@pytest.mark.usefixtures("hand_out")
@pytest.mark.parametrize(
    ("result", "words"),
    [
        ("x" * 40_000, "InvalidArgument: result has 40,002 characters; SWF takes 32,7"),
        (object(), "SerializationError: a payload of type object"),
        (float("nan"), "SerializationError: a payload of type float"),
    ],
)
async def test_result_that_cannot_be_sent_fails_and_says_why(
    scripted: ScriptedSwf, domain: Photos, result: object, words: str
) -> None:
    async def run(given: str) -> object:
        return result

    answer = await answer_of(scripted, resizing(domain, run), "Failed")
    assert answer.params["reason"].startswith(words)
    assert scripted.count("RespondActivityTaskCompleted") == 0


async def test_input_that_is_not_what_the_handler_takes_fails(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    async def run(given: int) -> None: ...

    scripted.answer(POLL, activity_task(input='"a.png"'))
    answer = await answer_of(scripted, resizing(domain, run), "Failed")
    assert answer.params["reason"].startswith("SerializationError: a payload of 7")


@pytest.mark.usefixtures("hand_out")
async def test_type_that_cannot_be_made_fails(scripted: ScriptedSwf) -> None:
    class Refusing(types.Activity):
        name, version, task_list = "Resize", "1.0", "images"

        def __init__(self, domain: Any) -> None:
            raise OSError("no disk")

        async def run(self, input: str) -> None: ...

    async with photos(scripted.url) as opened:
        worker = Worker(domain_class(Refusing)(opened.conn))
        answer = await answer_of(scripted, worker, "Failed")
    assert answer.params["reason"] == "OSError: no disk"


@pytest.mark.usefixtures("hand_out")
async def test_handler_may_answer_by_itself(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    async def run(given: str) -> str:
        await flowser.current_activity().complete("mine")
        return "the worker's"

    worker = resizing(domain, run)
    answer = await answer_of(scripted, worker)
    assert answer.params["result"] == '"mine"'
    assert scripted.count("RespondActivityTaskCompleted") == 1


@pytest.mark.usefixtures("hand_out")
async def test_plain_def_that_gives_an_awaitable_is_awaited(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    async def later() -> str:
        return "later"

    worker = Worker(domain)
    worker.activity(Resize)(lambda given: later())
    answer = await answer_of(scripted, worker)
    assert answer.params["result"] == '"later"'


@pytest.mark.usefixtures("hand_out")
async def test_handler_that_cancels_itself_fails(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    async def run(given: str) -> None:
        raise asyncio.CancelledError("myself")

    answer = await answer_of(scripted, resizing(domain, run), "Failed")
    assert answer.params["reason"] == "CancelledError: myself"


# -- answers --


@pytest.mark.usefixtures("hand_out")
async def test_answer_is_repeated_until_swf_takes_it(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    """Reporting a result is not executing the task (DESIGN section 4 rule 4)."""
    page = Status(503, b"<html>Service Unavailable</html>", "text/html")
    caplog.set_level(logging.INFO)
    worse: list[Answer] = [throttled(), page, internal_failure(), Lost()] * 3
    scripted.answer("RespondActivityTaskCompleted", *worse)

    async def run(given: str) -> str:
        return given

    worker = resizing(domain, run)
    async with worker:
        await scripted.received("RespondActivityTaskCompleted", 13)
        await scripted.received(POLL, 2)
        scripted.release_polls()
    answers = scripted.of("RespondActivityTaskCompleted")
    assert {answer.params["result"] for answer in answers} == {'"a.png"'}
    assert scripted.count("RespondActivityTaskFailed") == 0
    assert worker.counts == {"activities completed": 1}
    told = [text for _, text in logged(caplog) if text.startswith("answering tasks")]
    assert len(told) == 1


@pytest.mark.usefixtures("hand_out")
async def test_closed_task_after_a_lost_answer_is_taken_for_done(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.answer("RespondActivityTaskCompleted", *[Lost()] * 6, GONE)

    async def run(given: str) -> None: ...

    worker = resizing(domain, run)
    async with worker:
        await scripted.received("RespondActivityTaskCompleted", 7)
        await scripted.received(POLL, 2)
        scripted.release_polls()
    assert worker.counts == {"activities completed": 1}
    assert not [text for level, text in logged(caplog) if level == "ERROR"]


@pytest.mark.usefixtures("hand_out")
@pytest.mark.parametrize(
    ("fault", "counted"),
    [
        (GONE, ("INFO", "activities over")),
        (Fault("OperationNotPermittedFault"), ("ERROR", "activities refused")),
    ],
)
async def test_answer_that_swf_does_not_want_is_given_up(
    scripted: ScriptedSwf,
    domain: Photos,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
    counted: tuple[str, str],
) -> None:
    caplog.set_level(logging.INFO)
    scripted.answer("RespondActivityTaskCompleted", fault)

    async def run(given: str) -> None: ...

    worker = resizing(domain, run)
    await answer_of(scripted, worker)
    level, count = counted
    assert worker.counts == {count: 1}
    about = [told for told, text in logged(caplog) if fault.code in text]
    assert about == [level]


# -- heartbeats --


@pytest.mark.usefixtures("hand_out")
async def test_activity_is_heartbeated_with_the_details_told_last(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    told = asyncio.Event()

    async def run(given: str) -> None:
        for percent in range(100):
            await flowser.current_activity().heartbeat(f"{percent} %")
        await told.wait()

    async with brief(domain, run):
        await scripted.received(BEAT, 3)
        told.set()
        await scripted.received(POLL, 2)
        scripted.release_polls()
    details = [beat.params["details"] for beat in scripted.of(BEAT)]
    assert details[-1] == "99 %"
    assert len(details) < 10  # of 100


@pytest.mark.usefixtures("hand_out")
async def test_details_of_a_thread_are_sent_at_once_when_none_were(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    sent = threading.Event()
    seen: list[bool] = []

    def run(given: str) -> None:
        task: Any = flowser.current_activity()
        seen.append(task.beat("begun"))
        sent.wait()

    worker = Worker(domain, activities=1)
    worker.activity(Silent)(run)
    async with worker:
        beat = await scripted.received(BEAT)
        sent.set()
        await scripted.received(POLL, 2)
        scripted.release_polls()
    assert beat.params["details"] == "begun"
    assert scripted.count(BEAT) == 1
    assert seen == [False]


@pytest.mark.usefixtures("hand_out")
async def test_long_details_are_refused_where_they_are_told(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    async def run(given: str) -> None:
        with pytest.raises(InvalidArgument, match="2,048"):
            await flowser.current_activity().heartbeat("x" * 2_049)

    await answer_of(scripted, resizing(domain, run))


@pytest.mark.usefixtures("hand_out")
async def test_cancel_request_cancels_the_handler_once_and_is_answered(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    scripted.always(BEAT, CANCEL)
    cleaned = asyncio.Event()
    cancelled: list[bool] = []

    async def run(given: str) -> None:
        task: Any = flowser.current_activity()
        try:
            await task.heartbeat("half")
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(task.cancel_requested)
            await cleaned.wait()  # a handler may clean up
            raise

    worker = brief(domain, run)
    async with worker:
        await scripted.received(BEAT, 3)  # heartbeats go on meanwhile
        cleaned.set()
        answer = await scripted.received("RespondActivityTaskCanceled")
        await scripted.received(POLL, 2)
        scripted.release_polls()
    assert answer.params["details"] == "half"
    assert cancelled == [True]
    assert worker.counts == {"activities canceled": 1}


@pytest.mark.usefixtures("hand_out")
async def test_handler_that_finishes_anyway_completes(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    scripted.always(BEAT, CANCEL)

    async def run(given: str) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "almost done, so done"
        return "never"

    answer = await answer_of(scripted, brief(domain, run))
    assert answer.params["result"] == '"almost done, so done"'


@pytest.mark.usefixtures("hand_out")
async def test_thread_is_told_of_a_cancel_request_and_completes(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    scripted.always(BEAT, CANCEL)
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def run(given: str) -> str:
        task: Any = flowser.current_activity()
        while not task.cancel_requested:
            asyncio.run_coroutine_threadsafe(scripted.received(BEAT), loop).result()
        loop.call_soon_threadsafe(asked.set)
        return "stopped"

    answer = await answer_of(scripted, brief(domain, run))
    assert answer.params["result"] == '"stopped"'
    assert asked.is_set()


@pytest.mark.usefixtures("hand_out")
async def test_closed_task_cancels_its_handler_and_is_not_answered(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scripted.always(BEAT, GONE)
    work = Endless()
    worker = brief(domain, work)
    async with worker:
        await scripted.received(POLL, 2)
        scripted.release_polls()
    assert work.cancelled == 1
    assert worker.counts == {"activities over": 1}
    assert not [r for r in scripted.requests if r.operation.startswith("Respond")]
    assert any("was closed meanwhile" in text for _, text in logged(caplog))


@pytest.mark.usefixtures("hand_out")
async def test_closed_task_ends_an_answer_that_is_being_repeated(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    scripted.always("RespondActivityTaskCompleted", throttled())
    scripted.answer(BEAT, GOES_ON, GOES_ON, GOES_ON)
    scripted.always(BEAT, GONE)

    async def run(given: str) -> None: ...

    worker = brief(domain, run)
    async with worker:
        await scripted.received(POLL, 2)
        scripted.release_polls()
    assert scripted.count("RespondActivityTaskFailed") == 0


@pytest.mark.usefixtures("hand_out")
async def test_heartbeats_that_fail_are_repeated_and_told_once(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scripted.answer(BEAT, *[throttled()] * 12)
    work = Endless()
    async with brief(domain, work):
        await scripted.received(BEAT, 14)
        work.ended.set()
        await scripted.received("RespondActivityTaskCompleted")
        await scripted.received(POLL, 2)
        scripted.release_polls()
    told = [text for _, text in logged(caplog) if text.startswith("sending heartbeats")]
    assert len(told) == 1


@pytest.mark.usefixtures("hand_out")
async def test_activity_that_swf_did_not_hear_of_for_too_long_is_given_up(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody can tell it, but SWF has timed it out."""
    caplog.set_level(logging.INFO)
    scripted.always(BEAT, Hang(asyncio.Event()))
    work = Endless()
    worker = brief(domain, work)
    async with worker:
        await scripted.received(POLL, 2)
        scripted.release_polls()
    assert work.cancelled == 1
    assert worker.counts == {"activities over": 1}
    assert any("no heartbeat arrived for 1 s" in text for _, text in logged(caplog))


@pytest.mark.usefixtures("hand_out")
async def test_activity_without_timeouts_is_not_heartbeated(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    gate = asyncio.Event()

    async def run(given: str) -> None:
        await gate.wait()

    async with brief(domain, run, Silent):
        asyncio.get_running_loop().call_later(0.3, gate.set)
        await scripted.received(POLL, 2)
        scripted.release_polls()
    assert scripted.count(BEAT) == 0


@pytest.mark.usefixtures("hand_out")
async def test_hanging_handler_is_probed_at_its_deadline(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    """The decision may have set another deadline than the type's: SWF knows."""
    scripted.answer(BEAT, GOES_ON)
    scripted.always(BEAT, GONE)
    work = Endless()
    worker = brief(domain, work, Short)
    async with worker:
        await scripted.received(POLL, 2)
        scripted.release_polls()
    first, second = scripted.of(BEAT)
    assert first.at - scripted.of(POLL)[0].at > 1
    assert second.at - first.at > 0.9
    assert work.cancelled == 1
    assert worker.counts == {"activities over": 1}


@pytest.mark.usefixtures("hand_out")
async def test_heartbeat_that_comes_after_the_answer_does_no_harm(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    gate = asyncio.Event()
    scripted.always(BEAT, Delayed(gate, GONE))

    async def run(given: str) -> str:
        await scripted.received(BEAT)
        await flowser.current_activity().complete("mine")
        gate.set()
        await asyncio.sleep(0)
        return "done"

    worker = brief(domain, run)
    await answer_of(scripted, worker)
    assert worker.counts == {"activities completed": 1}


@pytest.mark.parametrize("timeout", ["abc", "1.5", -1])
async def test_timeout_that_is_none_is_refused_at_the_start(
    domain: Photos, timeout: Any
) -> None:
    class Wrong(Silent):
        heartbeat_timeout = timeout

    worker = brief(domain, Endless(), Wrong)
    with pytest.raises(InvalidArgument, match="heartbeat_timeout"):
        worker.check()

"""One activity: its handler and its answer, whatever goes wrong."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

import flowser
from flowser import types
from flowser.worker import Worker
from tests.declared import Photos, Resize, logged
from tests.histories import activity_task
from tests.support.answers import (
    Answer,
    Fault,
    Lost,
    Status,
    internal_failure,
    invalid,
    throttled,
)
from tests.support.scripted import ScriptedSwf
from tests.workers import (
    BEAT,
    GOES_ON,
    GONE,
    POLL,
    answer_of,
    domain_class,
    photos,
    resizing,
)


class Uncommon(BaseException):
    """What few expect."""


@pytest.fixture
async def domain(scripted: ScriptedSwf) -> AsyncIterator[Photos]:
    async with photos(scripted.url) as opened:
        yield opened


@pytest.fixture
def hand_out(scripted: ScriptedSwf) -> None:
    """Give one task to whoever polls first."""
    scripted.always(BEAT, GOES_ON)
    scripted.answer(POLL, activity_task(input='"a.png"'))


# -- what a handler makes of its task --


@pytest.mark.usefixtures("hand_out")
async def test_handler_that_raises_fails_with_its_own_frames(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    async def run(given: str) -> None:
        raise ValueError(f"{given} is no picture")

    answer = await answer_of(scripted, resizing(domain, run), "Failed")
    assert answer.params["reason"] == "ValueError: a.png is no picture"
    details = json.loads(answer.params["details"])
    assert details["type"] == "builtins.ValueError"
    assert details["message"] == "a.png is no picture"
    assert details["traceback"].lstrip().startswith(f'File "{__file__}", line ')
    assert details["traceback"].count("File ") == 1
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
@pytest.mark.parametrize("threaded", [False, True])
@pytest.mark.parametrize(
    "error",
    [
        asyncio.CancelledError("myself"),
        GeneratorExit("odd"),
        BaseExceptionGroup("both", [KeyboardInterrupt()]),
        Uncommon("rare"),
    ],
)
async def test_handler_that_raises_what_is_no_exception_fails(
    scripted: ScriptedSwf,
    domain: Photos,
    caplog: pytest.LogCaptureFixture,
    threaded: bool,
    error: BaseException,
) -> None:
    def now(given: str) -> None:
        raise error

    async def later(given: str) -> None:
        raise error

    run: Any = now if threaded else later
    worker = resizing(domain, run)
    answer = await answer_of(scripted, worker, "Failed")
    assert answer.params["reason"] == f"{type(error).__name__}: {error}"
    assert worker.counts == {"activities failed": 1}
    assert logged(caplog, logging.WARNING) == [("WARNING", "an activity failed")]


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
    [record] = [r for r in caplog.records if r.message.startswith("answering tasks")]
    assert vars(record)["activity_id"] == "a-1"  # of the task that made the news
    assert vars(record)["workflow_id"] == "album-1"


@pytest.mark.usefixtures("hand_out")
@pytest.mark.parametrize(
    "answer",
    [
        Fault("AccessDeniedException"),
        Fault("OperationNotPermittedFault"),
        Fault("UnknownOperationException"),
        Fault("SomethingNew"),
        Status(429, b"slow down", "text/plain"),
    ],
)
async def test_answer_outlives_whatever_may_pass(
    scripted: ScriptedSwf, domain: Photos, answer: Answer
) -> None:
    """A result is not thrown away because a policy is wrong for a minute."""
    scripted.answer("RespondActivityTaskCompleted", answer)

    async def run(given: str) -> str:
        return given

    worker = resizing(domain, run)
    async with worker:
        await scripted.received("RespondActivityTaskCompleted", 2)
        await scripted.received(POLL, 2)
        scripted.release_polls()
    assert scripted.count("RespondActivityTaskFailed") == 0
    assert worker.counts == {"activities completed": 1}


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
        (invalid("taskToken is bad"), ("ERROR", "activities refused")),
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

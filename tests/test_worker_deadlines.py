"""What a worker does when time is up, told by a clock that jumps."""

import asyncio
import logging

import pytest

from flowser import tasks
from flowser.worker import Worker
from tests.declared import logged
from tests.faults.virtual import now, virtual
from tests.histories import activity_task
from tests.support.answers import Fault, Hang, throttled
from tests.support.scripted import ScriptedSwf
from tests.workers import (
    BEAT,
    GOES_ON,
    GONE,
    POLL,
    Endless,
    Short,
    Silent,
    brief,
    deciding,
    first,
    photo_server,
)

ANSWER = "RespondDecisionTaskCompleted"
DECIDE = "PollForDecisionTask"


async def handled(scripted: ScriptedSwf, worker: Worker) -> None:
    """Let a worker with one slot handle one task."""
    scripted.always(BEAT, GOES_ON)
    scripted.answer(POLL, activity_task(input='"a.png"'))
    async with worker:
        await scripted.received(POLL, 2)
        scripted.release_polls()


async def decided(scripted: ScriptedSwf, worker: Worker, timeout: str = "30") -> None:
    """Let a worker with one slot decide one task."""
    scripted.answer(DECIDE, first(timeout))
    async with worker:
        await scripted.received(DECIDE, 2, timeout=100)
        scripted.release_polls()


@virtual
async def test_closed_task_ends_an_answer_that_is_being_repeated() -> None:
    async def run(given: str) -> None: ...

    async with photo_server() as (scripted, domain):
        scripted.always("RespondActivityTaskCompleted", throttled())
        scripted.answer(BEAT, GOES_ON, GOES_ON, GOES_ON, *[GONE] * 9)
        await handled(scripted, brief(domain, run))
        assert scripted.count("RespondActivityTaskFailed") == 0


@virtual
async def test_activity_that_swf_did_not_hear_of_for_too_long_is_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nobody can tell it, but SWF has timed it out."""
    caplog.set_level(logging.INFO)
    work = Endless()
    async with photo_server() as (scripted, domain):
        scripted.answer(BEAT, *[Hang(asyncio.Event())] * 9)
        worker = brief(domain, work)
        await handled(scripted, worker)
    assert work.cancelled == 1
    assert worker.counts == {"activities over": 1}
    assert any("no heartbeat arrived for 1 s" in text for _, text in logged(caplog))


@virtual
async def test_activity_without_timeouts_is_not_heartbeated() -> None:
    async def run(given: str) -> None:
        await asyncio.sleep(5)

    async with photo_server() as (scripted, domain):
        await handled(scripted, brief(domain, run, Silent))
        assert scripted.count(BEAT) == 0


@virtual
async def test_hanging_handler_is_probed_at_its_deadline() -> None:
    """The decision may have set another deadline than the type's: SWF knows."""
    work = Endless()
    async with photo_server() as (scripted, domain):
        scripted.answer(BEAT, GOES_ON, GONE)
        worker = brief(domain, work, Short)
        await handled(scripted, worker)
        one, two = scripted.of(BEAT)
    assert one.at == pytest.approx(1.1, abs=0.1)
    assert two.at - one.at == pytest.approx(1.0, abs=0.1)
    assert work.cancelled == 1
    assert worker.counts == {"activities over": 1}


@virtual
async def test_heartbeats_end_when_the_connection_was_closed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with photo_server() as (scripted, domain):

        async def run(given: str) -> None:
            domain.conn.close()
            await asyncio.sleep(20)

        scripted.answer(POLL, activity_task())
        assert await brief(domain, run).run()
    errors = [r for r in caplog.records if "no heartbeat can be sent" in r.getMessage()]
    assert [vars(r)["activity_id"] for r in errors] == ["a-1"]


# -- decisions --


@virtual
async def test_handler_that_hangs_is_cancelled_when_swf_times_the_task_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    thought = Endless()
    async with photo_server() as (scripted, domain):
        worker = deciding(domain, thought, decisions=1)
        await decided(scripted, worker)
        assert now() == pytest.approx(30, abs=1)
    assert thought.cancelled == 1
    assert worker.counts == {"decisions dropped": 1}
    assert any("no decision within 30 s" in text for _, text in logged(caplog))


@virtual
async def test_handler_that_goes_on_after_its_answer_has_all_the_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended = asyncio.Event()

    async def decide(decision: tasks.Decision) -> None:
        await decision.complete()
        await asyncio.sleep(60)
        ended.set()

    async with photo_server() as (scripted, domain):
        worker = deciding(domain, decide, decisions=1)
        await decided(scripted, worker)
    assert ended.is_set()
    assert worker.counts == {"decisions completed": 1}
    assert logged(caplog, logging.WARNING) == []


@virtual
async def test_answer_that_swf_never_takes_is_given_up_at_the_deadline(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def decide(decision: tasks.Decision) -> None: ...

    async with photo_server() as (scripted, domain):
        scripted.answer(ANSWER, *[Fault("AccessDeniedException")] * 99)
        worker = deciding(domain, decide, decisions=1)
        await decided(scripted, worker)
        assert now() == pytest.approx(31, abs=1)
        assert 5 < scripted.count(ANSWER) < 50
    assert worker.counts == {"decisions dropped": 1}
    assert any("no decision within 30 s" in text for _, text in logged(caplog))


@virtual
async def test_answer_that_is_taken_at_the_last_moment_counts() -> None:
    gate = asyncio.Event()

    async def decide(decision: tasks.Decision) -> None: ...

    async with photo_server() as (scripted, domain):
        scripted.answer(ANSWER, *[Fault("AccessDeniedException")] * 3, Hang(gate))
        asyncio.get_running_loop().call_at(30.5, gate.set)
        worker = deciding(domain, decide, decisions=1)
        await decided(scripted, worker, "30")
    assert worker.counts == {"decisions completed": 1}

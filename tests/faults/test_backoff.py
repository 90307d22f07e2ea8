"""Polls that fail for a while: pauses grow, nothing spins, one line for each change.

Source:
    reliability.md section 4 experiments 6 to 8.
"""

from itertools import pairwise

import pytest

from tests.faults.farm import (
    COMPLETED,
    POLL_ACTIVITY,
    POLL_DECISION,
    TASK,
    Season,
    Serving,
    Work,
    gaps,
    idle,
    iterating,
    levels,
    scripted_farm,
    told,
    worker_of,
    working,
)
from tests.faults.virtual import now, virtual
from tests.support.answers import (
    Fault,
    internal_failure,
    limit_exceeded,
    throttled,
)

BOTH = pytest.mark.parametrize("serving", [working, iterating])


@BOTH
@pytest.mark.parametrize("status", [500, 503])
@virtual
async def test_server_errors_are_followed_by_growing_pauses(
    status: int, serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 6: polls go on, pauses 0.1..60 s growing, one line at each end."""
    caplog.set_level("INFO")
    errors = 12
    async with scripted_farm() as (server, farm):
        server.answer(POLL_ACTIVITY, *[internal_failure(status)] * errors, TASK)
        async with serving(farm):
            await server.received(COMPLETED, timeout=600)
            paused = gaps(server, POLL_ACTIVITY)[:errors]
    for failure, pause in enumerate(paused):
        ceiling = min(60.0, 0.2 * 2**failure)
        assert ceiling / 2 <= pause <= ceiling + 0.01
    assert len(paused) == errors
    assert len(set(paused)) == errors  # jitter
    assert [level for level, _ in told(caplog)] == ["WARNING", "INFO"]
    assert "polling work works again" in caplog.text


@virtual
async def test_both_kinds_of_polls_survive_three_errors(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 6: ``PollFor*:500:3``, for activities and decisions side by side."""
    caplog.set_level("INFO")
    async with scripted_farm() as (server, farm):
        worker = worker_of(farm)
        worker.activity(Work)(idle)
        worker.decider(Season)(idle)
        for poll in (POLL_ACTIVITY, POLL_DECISION):
            server.answer(poll, *[internal_failure()] * 3)
        async with worker:
            for poll in (POLL_ACTIVITY, POLL_DECISION):
                await server.received(poll, 5, timeout=70)
    failed = "fails and is tried again: PollFor{}Task: InternalFailure"
    assert sorted(told(caplog)) == [
        ("INFO", "polling seasons works again"),
        ("INFO", "polling work works again"),
        ("WARNING", f"polling seasons {failed.format('Decision')}"),
        ("WARNING", f"polling work {failed.format('Activity')}"),
    ]


@BOTH
@virtual
async def test_throttled_polls_slow_down_and_recover(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 7: 50 throttles; never faster than 0.1 s, back within 2 s."""
    caplog.set_level("INFO")
    throttles = 50
    async with scripted_farm() as (server, farm):
        server.answer(POLL_ACTIVITY, *[throttled()] * throttles, *[TASK] * 20)
        async with serving(farm):
            await server.received(COMPLETED, 20, timeout=600)
            pauses = gaps(server, POLL_ACTIVITY)
    slow, fast = pauses[:throttles], pauses[throttles:]
    assert all(0.1 <= pause <= 2.01 for pause in slow)
    assert sum(slow[:3]) < 2  # the first pauses are short
    assert all(pause >= 1 for pause in slow[5:])  # and then they are not
    assert max(fast) < 0.1  # the full rate again, as soon as SWF is well
    assert [level for level, _ in told(caplog)] == ["WARNING", "INFO"]


@virtual
async def test_too_many_pollers_become_fewer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 8: SWF takes three of eight pollers; five end, nobody is alarmed."""
    caplog.set_level("INFO")
    async with scripted_farm() as (server, farm):
        server.answer(POLL_ACTIVITY, *[limit_exceeded()] * 5)
        worker = worker_of(farm, activity_pollers=8)
        worker.activity(Work)(idle)
        async with worker:
            await server.received(POLL_ACTIVITY, 8 + 3, timeout=70)
            assert now() == pytest.approx(60, abs=0.1)  # three of them went on
    assert levels(caplog).keys() == {"INFO"}
    assert caplog.text.count("with one poller less") == 5
    assert "3 go on" in caplog.text


@pytest.mark.parametrize("pollers", [1, 5])
@virtual
async def test_last_poller_waits_for_swf_to_take_it(
    pollers: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 8: LimitExceeded twenty times; one poller stays, and waits >= 1 s."""
    caplog.set_level("INFO")
    limits = 20
    async with scripted_farm() as (server, farm):
        server.answer(POLL_ACTIVITY, *[limit_exceeded()] * limits, TASK)
        worker = worker_of(farm, activity_pollers=pollers)
        worker.activity(Work)(idle)
        async with worker:
            await server.received(COMPLETED, timeout=2000)
            worker.stop()
        alone = [request.at for request in server.of(POLL_ACTIVITY)][pollers - 1 :]
    pauses = [later - earlier for earlier, later in pairwise(alone)][:-1]
    assert all(1.1 <= pause <= 61.01 for pause in pauses)
    assert len(pauses) >= limits - pollers
    assert levels(caplog).keys() == {"INFO"}
    assert caplog.text.count("is tried again") == 1
    assert caplog.text.count("works again") == 1


@virtual
async def test_generator_that_polls_too_much_waits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 8, for the plain generator: it waits, and says so once."""
    caplog.set_level("INFO")
    async with scripted_farm() as (server, farm):
        server.answer(POLL_ACTIVITY, *[limit_exceeded()] * 20, TASK)
        tasks = farm.activities(Work)
        await anext(tasks)
        await tasks.aclose()
        assert all(1.1 <= gap <= 61.01 for gap in gaps(server, POLL_ACTIVITY))
        assert now() >= 20
    assert levels(caplog) == {"INFO": 2}


@BOTH
@virtual
async def test_every_kind_of_failure_leaves_the_poller_alive(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 6: whatever may pass is waited for; an HTML page is as good as 500."""
    faults = [
        Fault("InvalidSignatureException", "Signature not yet current"),
        Fault("UnrecognizedClientException", "The security token is invalid."),
        Fault("ServiceUnavailable", None, 503),
        throttled(),
        limit_exceeded(),
        internal_failure(),
    ]
    caplog.set_level("INFO")
    async with scripted_farm() as (server, farm):
        server.answer(POLL_ACTIVITY, *faults, TASK)
        async with serving(farm):
            await server.received(COMPLETED, timeout=600)
        assert all(gap >= 0.1 for gap in gaps(server, POLL_ACTIVITY)[: len(faults)])
    assert caplog.text.count("works again") == 1

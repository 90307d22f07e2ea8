"""SWF out of reach for a minute: pauses, one line at each end, no stampede after.

Source:
    reliability.md section 4 experiment 35.
"""

import asyncio
import random
from collections import Counter
from functools import partial
from typing import Any, ClassVar

import pytest
from botocore.exceptions import EndpointConnectionError

from flowser import _client
from flowser.tasks import Decision
from tests.declared import session
from tests.faults.farm import (
    POLL_ACTIVITY,
    Farm,
    Season,
    Work,
    idle,
    levels,
    rigged,
    told,
    worker_of,
)
from tests.faults.virtual import now, virtual
from tests.support.fake_http import FakeResponse, FakeSession


@virtual
async def test_worker_outlives_a_minute_without_swf(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 35: connections are refused; one line per list and change of state."""
    caplog.set_level("INFO")
    async with rigged() as rig:
        worker = worker_of(rig.farm, activity_pollers=20)
        worker.activity(Work)(idle)

        @worker.decider(Season)
        async def decide(decision: Decision) -> None:
            if decision.started_event_id == 3:
                decision.schedule(Work, 1, activity_id="a")
            else:
                await decision.workflow_execution.complete("reaped")

        async with worker:
            await rig.swf.parked("work", 20)
            await rig.proxy.down()
            await asyncio.sleep(60)
            await rig.proxy.up()
            await rig.swf.parked("work", 20, timeout=70)
            await rig.swf.parked("seasons", timeout=70)
            await rig.start()
            await rig.swf.happened("WorkflowExecutionCompleted")
            await asyncio.sleep(65)  # in which the idle pollers hear from SWF, too
    # The polls that were held when SWF went away may have cost a task each.
    lost = [text for _, text in told(caplog) if "may have been handed out" in text]
    assert len(lost) == 21
    others = [(level, text) for level, text in told(caplog) if text not in lost]
    assert [level for level, _ in others] == ["WARNING", "WARNING", "INFO", "INFO"]
    for name in ("work", "seasons"):
        assert caplog.text.count(f"polling {name} fails and is tried again") == 1
        assert caplog.text.count(f"polling {name} works again") == 1


class Unreachable(FakeSession):
    """HTTP sessions for which a name is not resolved until a certain time.

    Attributes:
        tries: When each request was sent.
        until: When the name is known again.
    """

    tries: ClassVar[list[float]] = []
    until: ClassVar[float] = 0.0

    async def send(self, request: Any) -> FakeResponse:
        """Fail; or hold the poll for a minute."""
        self.tries.append(now())
        if now() < self.until:
            no_name = OSError("Name or service not known")
            raise EndpointConnectionError(endpoint_url=request.url, error=no_name)
        await asyncio.sleep(60)
        return FakeResponse(b'{"startedEventId": 0}')


@partial(virtual, still=0.0)  # no sockets: nothing is ever under way
async def test_thousand_pollers_do_not_come_back_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 35: names are not resolved for a minute; then they trickle in."""
    caplog.set_level("INFO")
    random.seed(35)
    pollers = 1_000
    Unreachable.tries.clear()
    settings = await _client.resolve(
        _client.Source(session()),
        endpoint_url="http://swf.invalid",
        http_session_cls=Unreachable,
    )
    async with _client.opened(settings, max_pollers=pollers, clock=now) as conn:
        began = now()
        Unreachable.until = began + 60
        worker = worker_of(Farm(conn), activities=pollers, activity_pollers=pollers)
        worker.activity(Work)(idle)
        async with worker:
            await asyncio.sleep(185)
    tries = [at - began for at in Unreachable.tries]
    failed = [at for at in tries if at < 60]
    back = [at for at in tries if 60 <= at < 120]
    assert len(failed) <= pollers * 10  # ten each in a minute, growing apart
    assert len(back) == pollers  # and each once, when it can
    assert max(Counter(int(at) for at in back).values()) <= pollers / 5
    assert max(Counter(int(at * 10) for at in back).values()) <= pollers / 20
    assert levels(caplog) == {"WARNING": 1, "INFO": 1}
    assert "Name or service not known" in caplog.text
    assert POLL_ACTIVITY in caplog.text

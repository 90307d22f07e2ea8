"""What survives: a worker is killed in the middle, and the workflow goes on."""

import signal
import textwrap
from pathlib import Path
from typing import Any

from tests import declared
from tests.flows import events_of
from tests.support.processes import run_python
from tests.support.watched import WatchedSwf

PROGRAM = """
    import asyncio, os
    import flowser
    from flowser import flow

    @flow.activity(version="1.0", task_list="doers")
    async def add(number: int, more: int) -> int:
        print("adds", more, flush=True)
        return number + more

    @flow.workflow(version="1.0", task_list="deciders")
    async def adding(number: int) -> int:
        number = await add(number, 1)
        print("decided once" , flush=True)
        await flow.signals("go").receive()
        number = await add(number, 2)
        await asyncio.sleep(1)
        return await add(number, 3)

    class Given(flowser.Domain):
        name = "given"
        workflow_types = [adding]
        activity_types = [add]
"""


async def test_workflow_goes_on_after_its_worker_was_killed(tmp_path: Path) -> None:
    program = tmp_path / "adder.py"
    program.write_text(textwrap.dedent(PROGRAM))
    names: dict[str, Any] = {}
    exec(compile(textwrap.dedent(PROGRAM), "adder", "exec"), names)  # noqa: S102 - our own
    async with WatchedSwf() as local, declared.hurried(local.url) as conn:
        domain = names["Given"](conn)
        command = ("-m", "flowser.run", program, "--endpoint", local.url)
        async with run_python(*command) as first:
            await local.parked("deciders")
            adding = names["adding"]
            run = await domain.start(adding, adding.input(0), workflow_id="w-1")
            await first.line_matching("^decided once$")
            await local.happened("DecisionTaskCompleted", 2)
            first.signal(signal.SIGKILL)
            await first.wait()
        await run.signal("go")
        async with run_python(*command) as second:
            assert await run.result() == 6
            second.signal(signal.SIGKILL)
            await second.wait()
        events = await events_of(run)
    # What was waiting for the dead worker came back, once.
    assert events.count("DecisionTaskTimedOut") == 1
    assert events.count("ActivityTaskScheduled") == 3
    assert second.out == ["decided once", "adds 2", "adds 3"]

"""Worker processes that are told to end, or die, with tasks in flight.

These live by the real clock; the seconds of the SWF are shortened.

Source:
    reliability.md section 4 experiments 1, 2 and 16 to 19.
"""

import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from flowser.executions import WorkflowExecution
from flowser.types import Activity
from tests.faults import worker_program
from tests.faults.farm import (
    DECIDED,
    FAILED,
    HEARTBEAT,
    POLL_ACTIVITY,
    POLL_DECISION,
    Season,
    Work,
    of_type,
    opened,
)
from tests.faults.virtual import now
from tests.support.processes import Child, run_python
from tests.support.watched import WatchedSwf

PROGRAM = Path(worker_program.__file__)

#: Real seconds that a second of the SWF lasts.
SECOND = 0.1

#: A new process has a lot to import, and the machine may be busy.
PATIENCE = 40.0


class Field:
    """An SWF with a domain, whose worker is another process."""

    def __init__(self, swf: WatchedSwf, farm: worker_program.Farm) -> None:
        """Own the domain, over a connection that nothing disturbs."""
        self.swf = swf
        self.farm = farm

    async def begin(
        self, inputs: Sequence[Any], kind: type[Activity] = Work, **timeouts: Any
    ) -> WorkflowExecution:
        """Start a run, and schedule an activity for each input."""
        run = await self.farm.start(Season, workflow_id="run")
        decision = await self.farm.poll_decision(Season)
        for index, given in enumerate(inputs):
            decision.schedule(kind, given, activity_id=f"a-{index}", **timeouts)
        await decision.complete()
        return run

    def worker(self, *options: str) -> Any:
        """Run a worker."""
        common = ("--endpoint", self.swf.url, "--no-register", *options)
        return run_python("-m", "flowser.run", PROGRAM, *common)

    async def events(self, run: WorkflowExecution) -> list[Any]:
        """Read the history of a run."""
        handle = self.farm.execution(run.workflow_id, run.run_id)
        return [event async for event in handle.history()]


@asynccontextmanager
async def field(**options: Any) -> AsyncIterator[Field]:
    """Set all up."""
    async with (
        WatchedSwf(second=SECOND, **options) as swf,
        opened(swf.url) as conn,
    ):
        farm = worker_program.Farm(conn)
        await farm.register()
        yield Field(swf, farm)


def said(child: Child, words: str) -> list[str]:
    """Give the lines in which a child said something."""
    return [line for line in child.err if words in line]


# -- SIGKILL --


async def test_activity_of_a_killed_worker_times_out_by_its_heartbeat() -> None:
    """Experiment 1: with the last details, within the timeout; another worker ends it.

    Its seconds are a tenth of real ones: 20 of them are the 2 s of the experiment.
    """
    async with field(poll_seconds=0.5) as here:
        run = await here.begin([["report", "half way"]], heartbeat_timeout=20)
        async with here.worker() as child:
            await here.swf.called(HEARTBEAT, 2, timeout=PATIENCE)
            child.signal(signal.SIGKILL)
            killed = now()
            assert await child.wait() == -signal.SIGKILL
            await here.swf.happened("ActivityTaskTimedOut")
            assert 1 <= now() - killed <= 3 + 2  # it was heard up to 0.4 s before
        (lost,) = of_type(await here.events(run), "ActivityTaskTimedOut")
        assert (lost.timeout_type, lost.details) == ("HEARTBEAT", "half way")
        decision = await here.farm.poll_decision(Season)
        decision.schedule(Work, ["sleep", 0], activity_id="again")
        await decision.complete()
        async with here.worker() as child:
            await here.swf.happened("ActivityTaskCompleted", timeout=PATIENCE)
        kinds = [event.type for event in await here.events(run)]
    assert kinds.count("ActivityTaskTimedOut") == 1
    assert kinds.count("ActivityTaskScheduled") == 2


async def test_decision_of_a_killed_worker_is_made_by_another() -> None:
    """Experiment 2: it times out, is handed out again, and nothing is done twice."""
    async with field() as here:
        run = await here.farm.start(
            Season, "hang", workflow_id="run", task_start_to_close_timeout=20
        )
        async with here.worker() as child:
            await here.swf.happened("DecisionTaskStarted", timeout=PATIENCE)
            started = now()
            child.signal(signal.SIGKILL)
            assert await child.wait() == -signal.SIGKILL
            await here.swf.happened("DecisionTaskTimedOut")
            assert 1.9 <= now() - started <= 2 + 2
        decision = await here.farm.poll_decision(Season)
        await decision.workflow_execution.complete("by another")
        kinds = [event.type for event in await here.events(run)]
        assert here.swf.calls[DECIDED] == 1
    assert kinds.count("DecisionTaskScheduled") == 2
    assert kinds.count("DecisionTaskCompleted") == 1
    assert "MarkerRecorded" not in kinds
    assert kinds[-1] == "WorkflowExecutionCompleted"


# -- SIGTERM --


async def test_sigterm_lets_all_activities_and_polls_end() -> None:
    """Experiment 16: no poll after the signal, 100 completions, exit 0, lost = 0."""
    activities, seconds, held = 100, 1.0, 2.0
    async with field(poll_seconds=held) as here:
        run = await here.begin([["sleep", seconds]] * activities)
        options = ("--activities", "104", "--activity-pollers", "4")
        async with here.worker(*options) as child:
            await here.swf.happened("ActivityTaskStarted", activities, timeout=PATIENCE)
            await here.swf.parked("work", 4)
            child.signal(signal.SIGTERM)
            signalled = now()
            await child.line_matching("the worker polls no more")
            polls = here.swf.calls[POLL_ACTIVITY], here.swf.calls[POLL_DECISION]
            assert await child.wait(timeout=30) == 0
            assert now() - signalled <= max(held, seconds) + 1 + 3
        now_polled = here.swf.calls[POLL_ACTIVITY], here.swf.calls[POLL_DECISION]
        assert now_polled == polls
        done = of_type(await here.events(run), "ActivityTaskCompleted")
    assert len(done) == activities
    assert said(child, "WARNING") == said(child, "ERROR") == []


async def test_second_sigterm_cancels_answers_and_names_what_is_left() -> None:
    """Experiment 18: each activity is answered within 5 s, and named; exit 1."""
    ids = {f"a-{index}" for index in range(20)}
    async with field() as here:
        run = await here.begin([["sleep", 600]] * 20)
        async with here.worker() as child:
            await here.swf.happened("ActivityTaskStarted", 20, timeout=PATIENCE)
            await here.swf.parked("work")
            child.signal(signal.SIGTERM)
            await child.line_matching("the worker polls no more")
            child.signal(signal.SIGTERM)
            again = now()
            assert await child.wait(timeout=30) == 1
            assert now() - again <= worker_program.GRACE + 3
        failed = of_type(await here.events(run), "ActivityTaskFailed")
        assert here.swf.calls[FAILED] == 20
    assert {task.reason for task in failed} == {"worker stopping"}
    assert {line.split(": ")[2].split()[0] for line in said(child, "cut off")} == ids


async def test_third_sigterm_ends_a_worker_whose_handlers_cling() -> None:
    """Experiment 18: a handler that does not let go keeps nobody from ending."""
    async with field() as here:
        await here.begin([["cling", 1_000_000]])
        async with here.worker() as child:
            await here.swf.happened("ActivityTaskStarted", timeout=PATIENCE)
            await here.swf.parked("work")
            child.signal(signal.SIGTERM)
            await child.line_matching("the worker polls no more")
            child.signal(signal.SIGTERM)
            await here.swf.happened("ActivityTaskFailed")
            child.signal(signal.SIGTERM)
            assert await child.wait(timeout=30) in (1, -signal.SIGTERM)
    assert said(child, "does not let go")


async def test_sigint_is_as_good_as_sigterm() -> None:
    """Experiment 16, by Ctrl-C."""
    async with field(poll_seconds=0.5) as here:
        await here.begin([["sleep", 0.5]])
        async with here.worker() as child:
            await here.swf.happened("ActivityTaskStarted", timeout=PATIENCE)
            child.signal(signal.SIGINT)
            assert await child.wait(timeout=30) == 0
        assert here.swf.events["ActivityTaskCompleted"] == 1


async def test_task_that_comes_right_after_sigterm_is_worked_off() -> None:
    """Experiment 17: handed out to a poll that was held when the signal came."""
    async with field(poll_seconds=2.0) as here:
        run = await here.begin([])
        await here.farm.execution("run", run.run_id).signal("wake")
        decision = await here.farm.poll_decision(Season)
        decision.schedule(Work, ["sleep", 0], activity_id="late")
        async with here.worker() as child:
            await here.swf.parked("work", timeout=PATIENCE)
            child.signal(signal.SIGTERM)
            await child.line_matching("the worker polls no more")
            await decision.complete()
            assert await child.wait(timeout=30) == 0
        kinds = [event.type for event in await here.events(run)]
    assert kinds.count("ActivityTaskCompleted") == 1
    assert kinds[-1] == "WorkflowExecutionCompleted"  # by the same worker


async def test_sigterm_while_swf_is_gone_ends_in_time() -> None:
    """Experiment 19: drain and grace bound it; what was not told is named."""
    drain, grace = 0.1, worker_program.GRACE
    async with AsyncExitStack() as server:
        here = await server.enter_async_context(field())
        await here.begin([["sleep", 600]] * 3, worker_program.Patient)
        async with here.worker("--drain", str(drain)) as child:
            await here.swf.happened("ActivityTaskStarted", 3, timeout=PATIENCE)
            await here.swf.parked("work")
            await server.aclose()
            child.signal(signal.SIGTERM)
            signalled = now()
            assert await child.wait(timeout=30) == 1
            assert now() - signalled <= drain + grace + 3
    named = [line.split(": ")[1].split()[0] for line in said(child, "unanswered")]
    assert sorted(named) == ["a-0", "a-1", "a-2"]

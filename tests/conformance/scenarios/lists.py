"""Task lists: polls that wait, overrides, priorities, counts.

Source:
    swf-semantics.md sections 2.1, 7, 9.1 and 9.3.
"""

import asyncio
from typing import Any

from flowser.local.engine.quotas import Quotas
from tests.conformance.face import Swf, answered, decision, signaled, taken
from tests.conformance.registry import scenario

_EMPTY = {
    "PollForDecisionTask": {"previousStartedEventId": 0, "startedEventId": 0},
    "PollForActivityTask": {"startedEventId": 0},
}


@scenario(clock=True)
async def a_poll_that_waits_in_vain_is_answered_after_a_minute(swf: Swf) -> None:
    """Section 2.1 [moto:verified]: without a taskToken."""
    for operation, empty in _EMPTY.items():
        async with asyncio.TaskGroup() as group:
            asked = swf.call(operation, taskList=swf.deciders)
            poll = group.create_task(asked)
            await swf.backend.held(1)
            await swf.skip(59.999)
            assert not poll.done()
            await swf.skip(0.001)
        assert poll.result() == empty


@scenario(clock=True)
async def polls_that_wait_are_answered_in_their_order(swf: Swf) -> None:
    """Section 2.1: each task goes to one poller, at once."""
    async with asyncio.TaskGroup() as group:
        polls = []
        for number in range(3):
            asked = swf.task(identity=str(number))
            polls.append(group.create_task(asked))
            await swf.backend.held(number + 1)
        runs = [await swf.start(id) for id in ("a", "b", "c")]
    given = [poll.result()["workflowExecution"] for poll in polls]
    assert given == runs
    for number, run in enumerate(runs):
        assert await swf.last(run, 1) == [taken(2, identity=str(number))]


@scenario(clock=True)
async def a_poll_waits_for_a_task_behind_another(swf: Swf) -> None:
    """Section 2.2: pending is handed out when running is over."""
    run = await swf.start()
    thinking = await swf.task()
    await swf.signal()
    async with asyncio.TaskGroup() as group:
        poll = group.create_task(swf.task())
        await swf.backend.held(1)
        await swf.signal()
        await swf.decide(thinking)
    assert poll.result()["startedEventId"] == 8
    await swf.expect(
        run,
        [swf.started(), swf.scheduled()],
        [taken(2)],
        [signaled(), swf.scheduled()],
        [signaled()],
        [answered(2, 3)],
        [taken(5)],
    )


@scenario(quotas=Quotas(pollers=1), clock=True)
async def so_many_polls_wait_at_a_list(swf: Swf) -> None:
    """Section 1.2 [recorded]."""
    text = "Limit on maximum concurrent poll requests per task list reached"
    for operation, empty in _EMPTY.items():
        async with asyncio.TaskGroup() as group:
            poll = group.create_task(swf.call(operation, taskList=swf.deciders))
            await swf.backend.held(1)
            asked = {"taskList": swf.deciders}
            await swf.refuses("LimitExceededFault", text, operation, **asked)
            await swf.skip(60)
        assert poll.result() == empty


@scenario(moto="10.1: no priority ordering; taskPriority ignored")
async def the_highest_priority_comes_first_and_then_the_oldest(swf: Swf) -> None:
    """Section 9.3; unset is 0."""
    ranks = [("a", None), ("b", "-1"), ("c", "5"), ("d", "0"), ("e", "5")]
    for id, priority in ranks:
        await swf.start(id, **({} if priority is None else {"taskPriority": priority}))
    tasks = [await swf.task() for _ in ranks]
    ids = [task["workflowExecution"]["workflowId"] for task in tasks]
    assert ids == [swf.id(id) for id in "ceadb"]
    low, high = swf.paying("low"), swf.paying("high", taskPriority="1")
    await swf.decide(tasks[0], low, high)
    assert [(await swf.work())["activityId"] for _ in range(2)] == ["high", "low"]


@scenario(moto="10.1: activity defaultTaskPriority dropped")
async def priorities_come_from_types_too(swf: Swf) -> None:
    """Section 9.3 [docs]: and never from a run to its activities."""
    urgent = {"name": swf.id("urgent"), "version": "1"}
    await swf.call(
        "RegisterWorkflowType",
        **urgent,
        defaultTaskPriority="9",
        defaultTaskList=swf.deciders,
        defaultExecutionStartToCloseTimeout="1000",
        defaultTaskStartToCloseTimeout="10",
        defaultChildPolicy="TERMINATE",
    )
    timeouts = ("ScheduleToStart", "ScheduleToClose", "StartToClose", "Heartbeat")
    await swf.call(
        "RegisterActivityType",
        **urgent,
        defaultTaskPriority="-9",
        defaultTaskList=swf.payers,
        **{f"defaultTask{name}Timeout": "NONE" for name in timeouts},
    )
    run = await swf.start(workflowType=urgent)
    made = [swf.paying("a"), swf.paying("b", activityType=urgent)]
    await swf.decide(await swf.task(), *made)
    none = {f"{name[0].lower()}{name[1:]}Timeout": "NONE" for name in timeouts}
    await swf.expect(
        run,
        [
            swf.started(workflowType=urgent, taskPriority="9"),
            swf.scheduled(taskPriority="9"),
        ],
        [taken(2)],
        [
            answered(2, 3),
            swf.paid(4, "a"),
            swf.paid(4, "b", activityType=urgent, taskPriority="-9", **none),
        ],
    )
    await swf.call("DeprecateWorkflowType", workflowType=urgent)
    await swf.call("DeprecateActivityType", activityType=urgent)


@scenario(moto="10.2: CountPending counts started tasks too")
async def tasks_that_wait_are_counted(swf: Swf) -> None:
    """Section 7: an unknown list has none; decision and activity lists are separate."""
    counts = ("CountPendingDecisionTasks", "CountPendingActivityTasks")

    async def count(task_list: dict[str, str]) -> list[int]:
        answers = [await swf.call(each, taskList=task_list) for each in counts]
        assert not any(answer["truncated"] for answer in answers)
        return [answer["count"] for answer in answers]

    assert await count({"name": swf.id("nobody's")}) == [0, 0]
    await swf.start("a")
    await swf.start("b")
    assert await count(swf.deciders) == [2, 0]
    task = await swf.task()
    assert await count(swf.deciders) == [1, 0]
    await swf.decide(task, swf.paying("a"), swf.paying("b", taskList=swf.deciders))
    assert await count(swf.deciders) == [1, 1]
    assert await count(swf.payers) == [0, 1]
    await swf.work()
    assert await count(swf.payers) == [0, 0]


# -- overrides ------------------------------------------------------------------------


def _mine(swf: Swf) -> dict[str, str]:
    return {"name": swf.id("mine")}


async def _overridden(swf: Swf, **more: Any) -> dict[str, str]:
    """Start a run whose decider moves it to a list of its own; ends at event 4."""
    run = await swf.start()
    await swf.decide(await swf.task(), taskList=_mine(swf), **more)
    return run


@scenario(moto="10.1: taskList overrides ignored")
async def an_override_moves_decision_tasks_for_good(swf: Swf) -> None:
    """Section 9.1 [model]: and further completions keep it [inferred]."""
    run = await _overridden(swf)
    mine = _mine(swf)
    for _ in range(2):
        await swf.signal()
        await swf.decide(await swf.task(taskList=mine))
    await swf.expect(
        run,
        [swf.started(), swf.scheduled()],
        [taken(2)],
        [answered(2, 3, taskList=mine)],
        [signaled(), swf.scheduled(taskList=mine)],
        [taken(6)],
        [answered(6, 7)],
        [signaled(), swf.scheduled(taskList=mine)],
        [taken(10)],
        [answered(10, 11)],
    )
    described = await swf.describe(run)
    assert described["executionConfiguration"]["taskList"] == swf.deciders


@scenario(moto="10.1: taskList overrides ignored")
async def an_override_is_dropped_by_naming_the_original_list(swf: Swf) -> None:
    """Section 9.1 [flow]."""
    run = await _overridden(swf, taskListScheduleToStartTimeout="5")
    await swf.signal()
    task = await swf.task(taskList=_mine(swf))
    await swf.decide(task, taskList=swf.deciders)
    await swf.signal()
    assert (await swf.last(run, 1)) == [swf.scheduled()]


@scenario(moto="10.1: taskList overrides ignored")
async def a_pending_task_stays_where_it_was_scheduled(swf: Swf) -> None:
    """Section 9.1 [inferred]: its DecisionTaskScheduled is written already."""
    run = await swf.start()
    task = await swf.task()
    await swf.signal()
    await swf.decide(task, taskList=_mine(swf))
    await swf.decide(await swf.task())
    await swf.signal()
    assert (await swf.last(run, 1)) == [swf.scheduled(taskList=_mine(swf))]


@scenario(clock=True)
async def an_override_ends_when_nobody_takes_its_task(swf: Swf) -> None:
    """Section 9.1 (a) [model]."""
    run = await _overridden(swf, taskListScheduleToStartTimeout="5")
    await swf.signal()
    await swf.skip(4.999)
    assert len(await swf.history(run)) == 6
    await swf.skip(0.001)
    mine, wait = {"taskList": _mine(swf)}, {"scheduleToStartTimeout": "5"}
    timed_out = {
        "timeoutType": "SCHEDULE_TO_START",
        "scheduledEventId": 6,
        "startedEventId": 0,
    }
    await swf.expect(
        run,
        [swf.started(), swf.scheduled()],
        [taken(2)],
        [answered(2, 3, taskListScheduleToStartTimeout="5", **mine)],
        [signaled(), swf.scheduled(**mine, **wait)],
        [("DecisionTaskTimedOut", timed_out), swf.scheduled()],
    )
    await swf.skip(900)
    await swf.decide(await swf.task())
    await swf.signal()
    assert await swf.last(run, 1) == [swf.scheduled()]


@scenario(clock=True)
async def an_override_ends_when_its_decider_is_too_slow(swf: Swf) -> None:
    """Section 9.1 (b) [model]."""
    run = await _overridden(swf, taskListScheduleToStartTimeout="5")
    await swf.signal()
    await swf.task(taskList=_mine(swf))
    await swf.skip(10)
    timed_out = {
        "timeoutType": "START_TO_CLOSE",
        "scheduledEventId": 6,
        "startedEventId": 7,
    }
    assert await swf.last(run, 2) == [
        ("DecisionTaskTimedOut", timed_out),
        swf.scheduled(),
    ]
    assert (await swf.task())["previousStartedEventId"] == 3


@scenario(clock=True)
async def a_slow_decider_does_not_evict_itself(swf: Swf) -> None:
    """Section 9.1 [suggested]: a task waits from when it can be handed out."""
    run = await _overridden(swf, taskListScheduleToStartTimeout="5")
    await swf.signal()
    thinking = await swf.task(taskList=_mine(swf))
    await swf.signal()
    await swf.skip(9)
    await swf.decide(thinking)
    await swf.skip(4.999)
    assert (await swf.last(run, 1))[0][0] == "DecisionTaskCompleted"
    await swf.skip(0.001)
    assert [kind for kind, _ in await swf.last(run, 2)] == [
        "DecisionTaskTimedOut",
        "DecisionTaskScheduled",
    ]
    await swf.decide(await swf.task(), decision("CompleteWorkflowExecution"))

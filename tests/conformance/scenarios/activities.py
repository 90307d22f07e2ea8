"""Activity tasks: scheduled, handed out, answered, timed out, canceled.

Source:
    swf-semantics.md sections 0.1, 1.3, 3.2, 5 and 6.6.
"""

from typing import Any

from tests.conformance.face import Swf, answered, decision, taken
from tests.conformance.registry import scenario


async def _begun(swf: Swf, **attributes: Any) -> tuple[dict[str, str], dict[str, Any]]:
    """Start a run, and bring its activity, event 5, into somebody's hands, event 6."""
    run = await swf.start()
    await swf.decide(await swf.task(), swf.paying(**attributes))
    return run, await swf.work()


def _canceling(id: str = "a") -> dict[str, Any]:
    return decision("RequestCancelActivityTask", activityId=id)


@scenario()
async def an_activity_shows_all_that_it_was_given(swf: Swf) -> None:
    mine = {"name": swf.id("mine")}
    given: dict[str, Any] = {
        "input": "in",
        "control": "note",
        "taskList": mine,
        "taskPriority": "-3",
        "scheduleToStartTimeout": "1",
        "scheduleToCloseTimeout": "2",
        "startToCloseTimeout": "NONE",
        "heartbeatTimeout": "4",
    }
    run = await swf.start()
    await swf.decide(await swf.task(), swf.paying(**given))
    await swf.expect(
        run,
        [swf.started(), swf.scheduled()],
        [taken(2)],
        [answered(2, 3), swf.paid(4, **given)],
    )
    task = await swf.work(taskList=mine)
    assert task["input"] == "in"
    assert "control" not in task


@scenario(moto="10.2: an activityId counts as in use for ever")
async def an_activity_id_is_free_again_when_its_task_is_closed(swf: Swf) -> None:
    """Section 0.1 number 7 [recorded 2013: "Sum2a" twice]."""
    run, work = await _begun(swf)
    await swf.signal()
    await swf.decide(await swf.task(), swf.paying())
    await swf.complete(work)
    await swf.decide(await swf.task(), swf.paying())
    in_use = {
        "activityType": swf.pay,
        "activityId": "a",
        "cause": "ACTIVITY_ID_ALREADY_IN_USE",
        "decisionTaskCompletedEventId": 10,
    }
    last = await swf.last(run, 6)
    assert last[:2] == [("ScheduleActivityTaskFailed", in_use), swf.scheduled()]
    assert last[-1] == swf.paid(15)


@scenario()
async def a_failed_activity_tells_why(swf: Swf) -> None:
    run, work = await _begun(swf)
    await swf.call(
        "RespondActivityTaskFailed",
        taskToken=work["taskToken"],
        reason="why",
        details="more",
    )
    ids = {"scheduledEventId": 5, "startedEventId": 6}
    failed = "ActivityTaskFailed", ids | {"reason": "why", "details": "more"}
    assert await swf.last(run, 2) == [failed, swf.scheduled()]


@scenario()
async def outcomes_need_no_words(swf: Swf) -> None:
    """Optional texts that are absent are absent (section 4)."""
    run, first = await _begun(swf)
    await swf.complete(first)
    await swf.decide(await swf.task(), swf.paying("b"))
    second = await swf.work()
    await swf.call("RespondActivityTaskFailed", taskToken=second["taskToken"])
    events = await swf.last(run, 8)
    assert events[0] == (
        "ActivityTaskCompleted",
        {"scheduledEventId": 5, "startedEventId": 6},
    )
    assert events[-2] == (
        "ActivityTaskFailed",
        {"scheduledEventId": 11, "startedEventId": 12},
    )


@scenario(moto="10.2: falsy attributes are dropped")
async def empty_texts_are_kept(swf: Swf) -> None:
    run, work = await _begun(swf, input="")
    assert work["input"] == ""
    await swf.complete(work, result="")
    events = await swf.last(run, 4)
    assert events[0] == swf.paid(4, input="")
    assert events[2][1]["result"] == ""


# -- why an activity cannot be scheduled ----------------------------------------------

_TIMEOUTS = {
    "ScheduleToStart": "DEFAULT_SCHEDULE_TO_START_TIMEOUT_UNDEFINED",
    "ScheduleToClose": "DEFAULT_SCHEDULE_TO_CLOSE_TIMEOUT_UNDEFINED",
    "StartToClose": "DEFAULT_START_TO_CLOSE_TIMEOUT_UNDEFINED",
    "Heartbeat": "DEFAULT_HEARTBEAT_TIMEOUT_UNDEFINED",
}


@scenario()
async def an_activity_needs_everything_of_decision_or_type(swf: Swf) -> None:
    """Section 3.2: looked for in this order; there is no default of the service's."""
    bare = {"name": swf.id("bare"), "version": "1"}
    await swf.call("RegisterActivityType", **bare)
    given: dict[str, Any] = {}
    causes = []
    run = await swf.start()
    for member, cause in (
        ("taskList", "DEFAULT_TASK_LIST_UNDEFINED"),
        *((f"{_first(name)}Timeout", cause) for name, cause in _TIMEOUTS.items()),
    ):
        await swf.decide(await swf.task(), swf.paying(activityType=bare, **given))
        causes.append(cause)
        given[member] = swf.payers if member == "taskList" else "NONE"
    await swf.decide(await swf.task(), swf.paying(activityType=bare, **given))
    events = await swf.last(run, 5 * 4 + 3)
    failed = [event for event in events if event[0] == "ScheduleActivityTaskFailed"]
    assert [event[1]["cause"] for event in failed] == causes
    assert events[-1] == swf.paid(24, activityType=bare, **given)


def _first(name: str) -> str:
    return name[0].lower() + name[1:]


@scenario()
async def an_activity_needs_a_type_that_is_in_use(swf: Swf) -> None:
    """Section 3.2 [live-3p for the deprecated one]; two failures, one task [moto]."""
    old = {"name": swf.id("old"), "version": "1"}
    await swf.call("RegisterActivityType", **old)
    await swf.call("DeprecateActivityType", activityType=old)
    unknown = {"name": swf.id("unknown"), "version": "1"}
    run = await swf.start()
    await swf.decide(
        await swf.task(),
        swf.paying("o", activityType=old),
        swf.paying("u", activityType=unknown),
    )
    batch = {"decisionTaskCompletedEventId": 4}
    failures = [
        ("o", old, "ACTIVITY_TYPE_DEPRECATED"),
        ("u", unknown, "ACTIVITY_TYPE_DOES_NOT_EXIST"),
    ]
    await swf.expect(
        run,
        [swf.started(), swf.scheduled()],
        [taken(2)],
        [
            answered(2, 3),
            *(
                (
                    "ScheduleActivityTaskFailed",
                    batch | {"activityId": id, "activityType": type, "cause": cause},
                )
                for id, type, cause in failures
            ),
            swf.scheduled(),
        ],
    )


# -- canceling ------------------------------------------------------------------------


@scenario(moto="10.1: RequestCancelActivityTask raises NotImplementedError")
async def an_activity_that_nobody_has_is_canceled_at_once(swf: Swf) -> None:
    """Section 3.2 [recorded:test]: it wakes the decider."""
    run = await swf.start()
    await swf.decide(await swf.task(), swf.paying())
    await swf.signal()
    await swf.decide(await swf.task(), _canceling())
    await swf.decide(await swf.task(), decision("CancelWorkflowExecution"))
    batch = {"decisionTaskCompletedEventId": 9}
    canceled = {
        "scheduledEventId": 5,
        "startedEventId": 0,
        "latestCancelRequestedEventId": 10,
    }
    events = await swf.last(run, 6)
    assert events[:3] == [
        ("ActivityTaskCancelRequested", batch | {"activityId": "a"}),
        ("ActivityTaskCanceled", canceled),
        swf.scheduled(),
    ]
    assert len(await swf.history(run)) == 15
    pending = await swf.call("CountPendingActivityTasks", taskList=swf.payers)
    assert pending == {"count": 0, "truncated": False}


@scenario(moto="10.1: RequestCancelActivityTask raises NotImplementedError")
async def a_worker_hears_of_a_cancel_request_by_its_heartbeat(swf: Swf) -> None:
    """Sections 3.2 and 6.6 [recorded:test]; asking twice is allowed."""
    run, work = await _begun(swf)
    token = {"taskToken": work["taskToken"]}
    beat = "RecordActivityTaskHeartbeat"
    assert await swf.call(beat, **token) == {"cancelRequested": False}
    await swf.signal()
    await swf.decide(await swf.task(), _canceling(), _canceling())
    assert await swf.call(beat, **token, details="d") == {"cancelRequested": True}
    await swf.call("RespondActivityTaskCanceled", **token, details="gone")
    batch = {"decisionTaskCompletedEventId": 10, "activityId": "a"}
    canceled = {
        "scheduledEventId": 5,
        "startedEventId": 6,
        "latestCancelRequestedEventId": 12,
        "details": "gone",
    }
    assert await swf.last(run, 5) == [
        answered(8, 9),
        ("ActivityTaskCancelRequested", batch),
        ("ActivityTaskCancelRequested", batch),
        ("ActivityTaskCanceled", canceled),
        swf.scheduled(),
    ]


@scenario(moto="10.1: RequestCancelActivityTask raises NotImplementedError")
async def canceling_an_unknown_activity_fails_and_wakes(swf: Swf) -> None:
    """Section 3.2 [recorded:test]: closed ones are not known either."""
    run, work = await _begun(swf)
    await swf.complete(work)
    await swf.decide(await swf.task(), _canceling(), _canceling("never"))
    batch = {"decisionTaskCompletedEventId": 10, "cause": "ACTIVITY_ID_UNKNOWN"}
    failed = "RequestCancelActivityTaskFailed"
    assert await swf.last(run, 3) == [
        (failed, batch | {"activityId": "a"}),
        (failed, batch | {"activityId": "never"}),
        swf.scheduled(),
    ]


@scenario(moto="10.1: RespondActivityTaskCanceled is absent")
async def a_worker_may_cancel_without_being_asked(swf: Swf) -> None:
    """Section 1.7 [inferred]: then there is no id of a request."""
    run, work = await _begun(swf)
    await swf.call("RespondActivityTaskCanceled", taskToken=work["taskToken"])
    ids = {"scheduledEventId": 5, "startedEventId": 6}
    assert await swf.last(run, 2) == [("ActivityTaskCanceled", ids), swf.scheduled()]


@scenario(moto="10.1: RespondActivityTaskCanceled is absent")
async def a_closed_activity_is_unknown_to_whoever_tells_of_it(swf: Swf) -> None:
    """Section 1.3."""
    run, work = await _begun(swf)
    await swf.complete(work)
    unknown = "UnknownResourceFault", "Unknown activity, scheduledEventId = 5"
    for operation in (
        "RespondActivityTaskCompleted",
        "RespondActivityTaskFailed",
        "RespondActivityTaskCanceled",
        "RecordActivityTaskHeartbeat",
    ):
        await swf.refuses(*unknown, operation, taskToken=work["taskToken"])
    await swf.terminate()
    gone = f"workflowId={run['workflowId']}, runId={run['runId']}"
    await swf.refuses(
        "UnknownResourceFault",
        f"Unknown execution: WorkflowExecution=[{gone}]",
        "RecordActivityTaskHeartbeat",
        taskToken=work["taskToken"],
    )


# -- time-outs ------------------------------------------------------------------------


async def _timed_out(swf: Swf, run: dict[str, str], kind: str, **more: Any) -> None:
    ids = {"scheduledEventId": 5, "startedEventId": 0, "timeoutType": kind}
    assert await swf.last(run, 2) == [
        ("ActivityTaskTimedOut", ids | more),
        swf.scheduled(),
    ]


@scenario(clock=True)
async def an_activity_that_nobody_takes_times_out(swf: Swf) -> None:
    """Section 5.1: scheduleToStart; startedEventId is 0."""
    run = await swf.start()
    await swf.decide(await swf.task(), swf.paying())
    await swf.skip(99.999)
    assert await swf.last(run, 1) == [swf.paid(4)]
    await swf.skip(0.001)
    await _timed_out(swf, run, "SCHEDULE_TO_START")
    pending = await swf.call("CountPendingActivityTasks", taskList=swf.payers)
    assert pending["count"] == 0


@scenario(clock=True)
async def an_activity_that_takes_too_long_times_out(swf: Swf) -> None:
    """Section 5.1: startToClose; afterwards its worker is told so (5.2)."""
    run, work = await _begun(swf)
    await swf.skip(49.999)
    await swf.call("RecordActivityTaskHeartbeat", taskToken=work["taskToken"])
    await swf.skip(0.001)
    await _timed_out(swf, run, "START_TO_CLOSE", startedEventId=6)
    await swf.refuses(
        "UnknownResourceFault",
        "Unknown activity, scheduledEventId = 5",
        "RespondActivityTaskCompleted",
        taskToken=work["taskToken"],
    )


@scenario(clock=True)
async def an_activity_has_a_limit_for_all_of_its_time(swf: Swf) -> None:
    """Section 5.1: scheduleToClose, whether it is waiting or in somebody's hands."""
    none = {"scheduleToStartTimeout": "NONE", "startToCloseTimeout": "NONE"}
    run = await swf.start()
    whole = swf.paying(scheduleToCloseTimeout="30", **none)
    await swf.decide(await swf.task(), whole)
    await swf.skip(30)
    await _timed_out(swf, run, "SCHEDULE_TO_CLOSE")
    await swf.decide(await swf.task(), whole)
    await swf.skip(20)
    await swf.work()
    await swf.skip(9.999)
    assert (await swf.last(run, 1))[0][0] == "ActivityTaskStarted"
    await swf.skip(0.001)
    ids = {"scheduledEventId": 10, "startedEventId": 11}
    await _timed_out(swf, run, "SCHEDULE_TO_CLOSE", **ids)


@scenario(clock=True)
async def a_silent_worker_loses_its_activity(swf: Swf) -> None:
    """Section 5.1: the clock of heartbeats begins with the start, and with each."""
    run = await swf.start()
    await swf.decide(await swf.task(), swf.paying(heartbeatTimeout="5"))
    await swf.skip(20)
    token = {"taskToken": (await swf.work())["taskToken"]}
    beat = "RecordActivityTaskHeartbeat"
    await swf.skip(4.999)
    await swf.call(beat, **token, details="half")
    await swf.skip(4.999)
    await swf.call(beat, **token)
    await swf.skip(4.999)
    assert (await swf.last(run, 1))[0][0] == "ActivityTaskStarted"
    await swf.skip(0.001)
    told = {"startedEventId": 6, "details": "half"}
    await _timed_out(swf, run, "HEARTBEAT", **told)


@scenario(clock=True)
async def a_worker_that_never_said_anything_leaves_no_details(swf: Swf) -> None:
    run, _ = await _begun(swf, heartbeatTimeout="5")
    await swf.skip(5)
    await _timed_out(swf, run, "HEARTBEAT", startedEventId=6)


@scenario(clock=True)
async def an_activity_without_limits_lasts_as_long_as_its_run(swf: Swf) -> None:
    lasting = {"executionStartToCloseTimeout": "10000000"}
    names = ("scheduleToStart", "scheduleToClose", "startToClose", "heartbeat")
    limits = dict.fromkeys((f"{name}Timeout" for name in names), "NONE")
    await swf.start(**lasting)
    await swf.decide(await swf.task(), swf.paying(**limits))
    await swf.skip(5_000_000)
    work = await swf.work()
    await swf.skip(4_000_000)
    await swf.complete(work)


@scenario(clock=True)
async def an_activity_that_may_wait_for_no_time_is_over_at_once(swf: Swf) -> None:
    """Section 5.2 [inferred]; as a transition of its own."""
    run = await swf.start()
    await swf.decide(await swf.task(), swf.paying(scheduleToStartTimeout="0"))
    await swf.skip(0.001)
    await _timed_out(swf, run, "SCHEDULE_TO_START")


@scenario(clock=True)
async def the_first_of_two_limits_closes_the_task(swf: Swf) -> None:
    """Section 5.2: the other clocks of that task die."""
    run, _ = await _begun(swf, heartbeatTimeout="5", startToCloseTimeout="5")
    await swf.skip(500)
    kinds = [kind for kind, _ in await swf.last(run, 3)]
    assert kinds.count("ActivityTaskTimedOut") == 1

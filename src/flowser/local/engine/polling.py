"""Polls, pages of histories, and what workers answer.

Source:
    swf-semantics.md sections 1.3, 1.7, 2 and 6.6.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from flowser import events as e
from flowser import requests
from flowser.local.engine import facts, faults
from flowser.local.engine.state import (
    ActivityTask,
    DecisionTask,
    QueueKey,
    Run,
    Task,
)
from flowser.local.engine.tokens import PageToken, TaskToken
from flowser.local.engine.world import Parked, World

_encode = msgspec.json.Encoder().encode

#: The answer to a poll that waited in vain: no taskToken (section 2.1).
EMPTY = {
    "decision": b'{"previousStartedEventId":0,"startedEventId":0}',
    "activity": b'{"startedEventId":0}',
}

Poll = requests.PollForActivityTask | requests.PollForDecisionTask


def poll(world: World, kind: str, request: Poll, caller: object) -> bytes | Parked:
    """Hand out the next task, or let the poll wait."""
    if isinstance(request, requests.PollForDecisionTask) and request.next_page_token:
        return _further_page(world, request)
    domain = world.domain(request.domain)
    key = QueueKey(kind, domain.region, domain.name, request.task_list.name)
    task = world.next_task(key)
    if task is None:
        return world.park(caller, request, key)
    if not world.present(caller):
        return EMPTY[kind]  # which nobody reads: the task is for somebody else
    return _handed_out(world, task, request)


def match(world: World) -> None:
    """Bring tasks and waiting polls together."""
    while world.state.touched:
        key, _ = world.state.touched.popitem()
        while (task := world.next_task(key)) is not None:
            parked = world.next_waiting(key)
            if parked is None:
                break
            answer = _handed_out(world, task, parked.request)
            world.wakeups.append((parked, answer))


def _handed_out(world: World, task: Task, request: Poll) -> bytes:
    if isinstance(task, ActivityTask):
        return _activity_started(world, task, request)
    return _decision_started(world, task.run, task, request)


def _activity_started(world: World, task: ActivityTask, request: Poll) -> bytes:
    run, a = task.run, task.attributes
    started = e.ActivityTaskStarted(
        scheduled_event_id=task.id, identity=request.identity
    )
    id = world.append(run, started)
    token = TaskToken("activity", run.number, task.id, id)
    answer: dict[str, Any] = {
        "taskToken": world.tokens.task(token),
        "activityId": a.activity_id,
        "startedEventId": id,
        "workflowExecution": run.execution,
        "activityType": a.activity_type,
    }
    if a.input is not None:
        answer["input"] = a.input
    return _encode(answer)


def _decision_started(world: World, run: Run, task: Task, request: Any) -> bytes:
    started = e.DecisionTaskStarted(
        scheduled_event_id=task.id, identity=request.identity
    )
    id = world.append(run, started)
    first = 1
    if request.start_at_previous_started_event:
        first = run.previous_id or 1
    token = TaskToken("decision", run.number, task.id, id)
    place = (first, id) if not request.reverse_order else (id, first)
    return _decision_page(world, run, token, request, place)


def _decision_page(
    world: World, run: Run, token: TaskToken, request: Any, place: tuple[int, int]
) -> bytes:
    first, last, following = span(world, place, request.maximum_page_size)
    events = run.events[first - 1 : last]
    if request.reverse_order:
        events.reverse()
    answer: dict[str, Any] = {
        "taskToken": world.tokens.task(token),
        "startedEventId": token.started_id,
        "previousStartedEventId": run.previous_id,
        "workflowExecution": run.execution,
        "workflowType": run.config.workflow_type,
        "events": [msgspec.Raw(event) for event in events],
    }
    if following:
        position = (run.number, token.scheduled_id, token.started_id, *following)
        scope = _scope(world, request)
        answer["nextPageToken"] = world.tokens.page(
            PageToken(scope, world.now, position)
        )
    return _encode(answer)


def _scope(world: World, request: requests.PollForDecisionTask) -> str:
    name = request.task_list.name
    # "otherwise unchanged arguments" (section 2.3): of those, what chooses events.
    return f"poll:{world.region}:{request.domain}:{name}:{bool(request.reverse_order)}"


def _further_page(world: World, request: requests.PollForDecisionTask) -> bytes:
    world.domain(request.domain)
    oldest = world.now - world.quotas.page_token * 1000
    position = world.tokens.read_page(
        request.next_page_token or "", _scope(world, request), oldest
    )
    number, scheduled, started, begin, stop = map(int, position)
    token = TaskToken("decision", number, scheduled, started)
    run, _ = decision_task(world, world.tokens.task(token))
    return _decision_page(world, run, token, request, (begin, stop))


def span(
    world: World, place: tuple[int, int], size: int | None
) -> tuple[int, int, tuple[int, int] | None]:
    """Say which events a page has.

    Args:
        world: For its quotas.
        place: Where to begin and to stop; backwards when it begins with the higher.
        size: The most events; None or 0 for as many as SWF gives.

    Returns:
        The lowest and the highest id, and the place of the next page, if there is one.
    """
    begin, stop = place
    most = min(size or world.quotas.page_size, world.quotas.page_size)
    if begin <= stop:
        last = min(begin + most - 1, stop)
        return begin, last, ((last + 1, stop) if last < stop else None)
    first = max(begin - most + 1, stop)
    return first, begin, ((first - 1, stop) if first > stop else None)


def decision_task(world: World, text: str) -> tuple[Run, DecisionTask]:
    """Find the decision task that a token is for, in the hands of its decider.

    Raises:
        Fault: When the token is garbage, the run closed, or the task over.
    """
    token = world.tokens.read_task(text, "decision")
    run = _run(world, token, "decision task")
    if run.running is None or run.running.started_id != token.started_id:
        raise _over(token, "decision task")
    return run, run.running


def _run(world: World, token: TaskToken, what: str) -> Run:
    run = world.state.runs.get(token.run)
    if run is None:
        closed = world.summary(token.run)
        if closed is None:
            raise _over(token, what)  # its retention is over
        _check_region(world, closed.region)
        raise faults.unknown_run(closed.workflow_id, closed.run_id)
    _check_region(world, run.domain.region)
    return run


def _check_region(world: World, region: str) -> None:
    if region != world.region:  # a world of its own
        raise faults.invalid_token()


def _over(token: TaskToken, what: str) -> faults.Fault:
    return faults.unknown(f"Unknown {what}, scheduledEventId = {token.scheduled_id}")


def _activity(world: World, text: str) -> tuple[Run, ActivityTask]:
    token = world.tokens.read_task(text, "activity")
    run = _run(world, token, "activity")
    task = run.activities.get(token.scheduled_id)
    if task is None or task.started_id != token.started_id:
        raise _over(token, "activity")
    return run, task


def completed(world: World, request: requests.RespondActivityTaskCompleted) -> None:
    """Take the result of an activity."""
    run, task = _activity(world, request.task_token)
    event = e.ActivityTaskCompleted(
        scheduled_event_id=task.id,
        started_event_id=task.started_id,
        result=request.result,
    )
    world.append(run, event)
    world.settle(run)


def failed(world: World, request: requests.RespondActivityTaskFailed) -> None:
    """Take the failure of an activity."""
    run, task = _activity(world, request.task_token)
    event = e.ActivityTaskFailed(
        scheduled_event_id=task.id,
        started_event_id=task.started_id,
        reason=request.reason,
        details=request.details,
    )
    world.append(run, event)
    world.settle(run)


def canceled(world: World, request: requests.RespondActivityTaskCanceled) -> None:
    """Take it that an activity let go; it need not have been asked to (1.7)."""
    run, task = _activity(world, request.task_token)
    event = e.ActivityTaskCanceled(
        scheduled_event_id=task.id,
        started_event_id=task.started_id,
        details=request.details,
        latest_cancel_requested_event_id=task.cancel_requested_id,
    )
    world.append(run, event)
    world.settle(run)


def heartbeat(
    world: World, request: requests.RecordActivityTaskHeartbeat
) -> dict[str, Any]:
    """Take it that an activity goes on; tell whether it is asked to let go."""
    run, task = _activity(world, request.task_token)
    world.throttled(run.number, "RecordActivityTaskHeartbeat")
    world.emit(
        facts.Heartbeat(
            run=run.number,
            at=world.now,
            scheduled_id=task.id,
            details=request.details,
        )
    )
    return {"cancelRequested": task.cancel_requested_id is not None}


def _count(
    kind: str,
) -> Callable[[World, Any], dict[str, Any]]:
    def count(world: World, request: Any) -> dict[str, Any]:
        domain = world.domain(request.domain)
        name = request.task_list.name
        queue = world.state.queues.get(QueueKey(kind, domain.region, domain.name, name))
        # Whether SWF counts tasks that were handed out is not settled (section 7): a
        # pending task is one that waits.
        return {"count": len(queue.tasks) if queue else 0, "truncated": False}

    return count


OPERATIONS: dict[type[requests.Request[Any]], Callable[[World, Any], Any]] = {
    requests.RespondActivityTaskCompleted: completed,
    requests.RespondActivityTaskFailed: failed,
    requests.RespondActivityTaskCanceled: canceled,
    requests.RecordActivityTaskHeartbeat: heartbeat,
    requests.CountPendingActivityTasks: _count("activity"),
    requests.CountPendingDecisionTasks: _count("decision"),
}

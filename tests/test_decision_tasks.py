"""A decision task: a history that costs what is looked at, and how it is answered."""

from typing import Any

import pytest

from flowser import events, shapes
from flowser.decision_tasks import Decision
from flowser.domain import Domain
from flowser.exceptions import (
    EmptyTaskPollResult,
    InvalidArgument,
    ResponseLost,
    TaskAlreadyAnswered,
)
from tests.conftest import BareClient
from tests.declared import Album, Photos, Resize, UpperPhotos, connected, offline
from tests.histories import (
    began,
    decision_task,
    marker,
)
from tests.support.scripted import EMPTY_POLL, ScriptedSwf
from tests.support.watched import WatchedSwf

RESPOND = "RespondDecisionTaskCompleted"


def decision(
    *found: dict[str, Any], domain: Domain | None = None, kind: type[Album] = Album
) -> Decision:
    """Wrap a task with a whole history, newest event first."""
    return Decision(decision_task(found), kind(domain or offline()))


# -- what it is --


def test_task_has_the_attributes_of_the_original() -> None:
    made = decision(marker(3), marker(2), began())
    assert made.task_token == "token-1"
    assert (made.started_event_id, made.previous_started_event_id) == (3, 0)
    assert made.workflow_type == shapes.WorkflowType(name="Album", version="1.0")
    assert made.workflow_execution.workflow_id == "album-1"
    assert made.decisions == []
    assert not made.answered
    assert "album-1" in repr(made)
    assert made.fields == {
        "domain": "photos",
        "workflow_id": "album-1",
        "run_id": "run-1",
        "type": "Album 1.0",
        "activity_id": None,
    }


@pytest.mark.parametrize("answer", [EMPTY_POLL, EMPTY_POLL | {"taskToken": ""}])
def test_answer_without_a_task_is_an_empty_poll(answer: Any) -> None:
    with pytest.raises(EmptyTaskPollResult):
        Decision(answer, offline())


def test_broken_answer_is_not_taken_for_an_empty_poll() -> None:
    with pytest.raises(ResponseLost):
        Decision({"taskToken": "t", "events": []}, offline())


# -- answering --


async def answered(scripted: ScriptedSwf, *ask: str, **given: Any) -> dict[str, Any]:
    """Call a method of a decision task, and give what was sent."""
    async with connected(scripted.url) as conn:
        task = Decision(decision_task([began()]), Album(Photos(conn)))
        method = task
        for name in ask:
            method = getattr(method, name)
        await method(**given)  # type: ignore[operator]
        assert task.answered
    (request,) = scripted.requests
    assert request.operation == RESPOND
    assert request.params.pop("taskToken") == "token-1"
    return request.params


async def test_complete_without_decisions_sends_none(scripted: ScriptedSwf) -> None:
    assert await answered(scripted, "complete") == {}


async def test_complete_sends_context_and_override(scripted: ScriptedSwf) -> None:
    assert await answered(
        scripted,
        "complete",
        context="",
        task_list="mine",
        task_list_schedule_to_start_timeout=5,
    ) == {
        "executionContext": "",
        "taskList": {"name": "mine"},
        "taskListScheduleToStartTimeout": "5",
    }


async def test_decisions_are_sent_in_the_order_they_were_collected(
    scripted: ScriptedSwf,
) -> None:
    async with connected(scripted.url) as conn:
        task = Decision(decision_task([began()]), Album(Photos(conn)))
        task.mark("a").schedule(Resize, {"id": 1}).start_timer("t", 5).mark("b")
        await task.complete()
    sent = scripted.requests[0].params["decisions"]
    assert [d["decisionType"] for d in sent] == [
        "RecordMarker",
        "ScheduleActivityTask",
        "StartTimer",
        "RecordMarker",
    ]


async def test_fail_closes_the_run_as_failed(scripted: ScriptedSwf) -> None:
    """The original called an operation that SWF does not have."""
    assert await answered(scripted, "fail", details="d", reason="r") == {
        "decisions": [
            {
                "decisionType": "FailWorkflowExecution",
                "failWorkflowExecutionDecisionAttributes": {
                    "details": "d",
                    "reason": "r",
                },
            }
        ]
    }


async def test_cancel_closes_the_run_as_canceled(scripted: ScriptedSwf) -> None:
    assert await answered(scripted, "cancel", details="d") == {
        "decisions": [
            {
                "decisionType": "CancelWorkflowExecution",
                "cancelWorkflowExecutionDecisionAttributes": {"details": "d"},
            }
        ]
    }


async def test_execution_is_completed_with_result_and_context(
    scripted: ScriptedSwf,
) -> None:
    sent = await answered(
        scripted, "workflow_execution", "complete", result=[1], context="c"
    )
    assert sent == {
        "executionContext": "c",
        "decisions": [
            {
                "decisionType": "CompleteWorkflowExecution",
                "completeWorkflowExecutionDecisionAttributes": {"result": "[1]"},
            }
        ],
    }


async def test_execution_is_completed_without_a_result(scripted: ScriptedSwf) -> None:
    sent = await answered(scripted, "workflow_execution", "complete", result=None)
    assert sent["decisions"][0]["completeWorkflowExecutionDecisionAttributes"] == {}


async def test_continue_as_new_sends_the_types_settings(scripted: ScriptedSwf) -> None:
    sent = await answered(scripted, "continue_as_new", input={"id": 2})
    (decided,) = sent["decisions"]
    assert decided["continueAsNewWorkflowExecutionDecisionAttributes"] == {
        "input": '{"id":2}',
        "taskList": {"name": "albums"},
        "childPolicy": "TERMINATE",
        "executionStartToCloseTimeout": "600",
        "taskStartToCloseTimeout": "120",
    }


async def test_continue_as_new_takes_every_setting_otherwise(
    scripted: ScriptedSwf,
) -> None:
    sent = await answered(
        scripted,
        "continue_as_new",
        version="2.0",
        child_policy="ABANDON",
        execution_start_to_close_timeout=60,
        lambda_role="role",
        tag_list=["x"],
        task_list="others",
        task_priority=1,
        task_start_to_close_timeout="NONE",
    )
    (decided,) = sent["decisions"]
    assert decided["continueAsNewWorkflowExecutionDecisionAttributes"] == {
        "workflowTypeVersion": "2.0",
        "childPolicy": "ABANDON",
        "executionStartToCloseTimeout": "60",
        "lambdaRole": "role",
        "tagList": ["x"],
        "taskList": {"name": "others"},
        "taskPriority": "1",
        "taskStartToCloseTimeout": "NONE",
    }


async def test_continue_as_new_needs_a_workflow_type() -> None:
    task = Decision(decision_task([began()]), offline())
    with pytest.raises(InvalidArgument, match="no workflow type"):
        await task.continue_as_new()
    assert not task.answered


async def test_closing_of_an_unknown_type_is_written_by_the_domain(
    scripted: ScriptedSwf,
) -> None:
    async with connected(scripted.url) as conn:
        task = Decision(decision_task([began()]), UpperPhotos(conn))
        await task.workflow_execution.complete("hey")
    (decided,) = scripted.requests[0].params["decisions"]
    written = decided["completeWorkflowExecutionDecisionAttributes"]
    assert written == {"result": "HEY"}


async def test_refused_decision_is_named_and_the_task_stays_open(
    scripted: ScriptedSwf,
) -> None:
    async with connected(scripted.url) as conn:
        task = Decision(decision_task([began()]), Album(Photos(conn)))
        task.mark("a").mark("b", "x" * 32_769)
        with pytest.raises(
            InvalidArgument,
            match=r"^decisions\[1\] \(RecordMarker\).*details has 32,769",
        ):
            await task.complete()
        assert scripted.requests == []
        del task.decisions[1]
        await task.complete()
        with pytest.raises(TaskAlreadyAnswered):
            await task.complete()
    assert len(scripted.requests) == 1


async def test_fail_leaves_out_what_would_begin_and_sends_the_rest(
    scripted: ScriptedSwf,
) -> None:
    """SWF refuses new work beside a closing decision, and takes all others."""
    async with connected(scripted.url) as conn:
        task = Decision(decision_task([began()]), Album(Photos(conn)))
        task.mark("a").schedule(Resize, {"id": 1}).start_timer("t", 5)
        task.schedule_lambda("i", "n").cancel_timer("u").mark("b")
        await task.fail("why")
    sent = scripted.requests[0].params["decisions"]
    assert [d["decisionType"] for d in sent] == [
        "RecordMarker",
        "CancelTimer",
        "RecordMarker",
        "FailWorkflowExecution",
    ]


async def test_refused_fail_leaves_what_was_collected_as_it_was(
    scripted: ScriptedSwf,
) -> None:
    async with connected(scripted.url) as conn:
        task = Decision(decision_task([began()]), Album(Photos(conn)))
        task.mark("a").schedule(Resize, {"id": 1}).start_timer("t", 5)
        collected = list(task.decisions)
        with pytest.raises(InvalidArgument, match=r"\(FailWorkflow.*reason has 257"):
            await task.fail(reason="x" * 257)
        assert task.decisions == collected
        assert not task.answered
        assert scripted.requests == []
        await task.complete()
    sent = scripted.requests[0].params["decisions"]
    assert [d["decisionType"] for d in sent] == [
        "RecordMarker",
        "ScheduleActivityTask",
        "StartTimer",
    ]


# -- against a server that keeps SWF's rules --


async def test_run_continues_as_new_and_its_result_is_followed(
    local: WatchedSwf,
) -> None:
    async with connected(local.url) as conn:
        photos = Photos(conn)
        await photos.register()
        handle = await photos.start(Album, {"id": 1, "round": 1})
        await (await photos.poll_decision(Album)).continue_as_new({"round": 2})
        second = await photos.poll_decision(Album)
        assert await second.start_input == {"round": 2}
        started = await second.most_recent("WorkflowExecutionStarted")
        assert started is not None
        assert isinstance(started.attributes, events.WorkflowExecutionStarted)
        assert started.attributes.continued_execution_run_id == handle.run_id
        await second.workflow_execution.complete("done")
        assert await handle.result() == "done"


async def test_signal_during_a_decision_leaves_the_run_open(local: WatchedSwf) -> None:
    async with connected(local.url) as conn:
        photos = Photos(conn)
        await photos.register()
        handle = await photos.start(Album, {"id": 1})
        first = await photos.poll_decision(Album)
        await handle.signal("wait")
        await first.workflow_execution.complete("too early")
        second = await photos.poll_decision(Album)
        refused = await second.most_recent("CompleteWorkflowExecutionFailed")
        assert refused is not None
        assert refused.attrs["cause"] == "UNHANDLED_DECISION"
        assert second.previous_started_event_id == first.started_event_id
        assert [e.id async for e in first.events] == [3, 2, 1]


async def test_decisions_work_over_a_plain_client_and_on_moto(
    moto_url: str, domain_name: str, bare_client: BareClient
) -> None:
    async with bare_client(moto_url) as client:
        photos = Photos(client)
        photos.name = domain_name
        await photos.register()
        handle = await photos.start(Album, {"id": 1})
        task = await photos.poll_decision(Album)
        assert await task.start_input == {"id": 1}
        assert task.previous_started_event_id == 0
        await task.mark("m", "d").schedule(Resize, {"id": 2}).complete("context")
        recorded = await handle.history().filter("MarkerRecorded").first()
        assert recorded is not None
        assert recorded.attrs["details"] == "d"
        assert (await handle.describe()).latest_execution_context == "context"


async def test_cancelled_timer_of_moto_is_kept_under_its_misspelt_name(
    moto_url: str, domain_name: str
) -> None:
    async with connected(moto_url) as conn:
        photos = Photos(conn)
        photos.name = domain_name
        await photos.register()
        handle = await photos.start(Album, {"id": 1})
        task = await photos.poll_decision(Album)
        await task.start_timer("t", 3_600).cancel_timer("t").complete()
        found = [event async for event in handle.history()]
    assert isinstance(found[-1], events.UnrecognizedEvent)
    assert found[-1].type == "TimerCancelled"
    assert found[-1].attrs["timerId"] == "t"

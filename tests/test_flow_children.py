"""Children, other executions and Lambda functions, as workflow code sees them."""

import asyncio
from typing import Any

import pytest

from flowser import decisions as d
from flowser import events as e
from flowser import flow, requests
from flowser.local.engine import functions
from tests.local.engine.rig import DOMAIN, Rig
from tests.replay.story import Story

workflow = flow.workflow(version="1", task_list="deciders")


@flow.workflow(version="1", task_list="kids", execution_start_to_close_timeout=50)
async def ship(order_id: str, express: bool = False) -> str:
    await asyncio.sleep(10)
    if order_id == "bad":
        raise ValueError("no such order")
    return f"shipped {order_id}"


def begun(made: Any, **options: Any) -> tuple[Story, Story]:
    """Play a workflow until its child runs."""
    story = Story(made, using=[ship], **options)
    story.settle()
    return story, story.child(ship)


def test_a_call_starts_a_child_and_its_result_is_returned() -> None:
    @workflow
    async def order() -> str:
        return await ship("a", express=True)

    story = Story(order, using=[ship])
    [started] = story.decisions()
    assert isinstance(started, d.StartChildWorkflowExecution)
    assert started.input == '{"order_id":"a","express":true}'
    assert started.control == '{"fv":1,"id":"1"}'
    assert started.workflow_id == f"o-1.{story.ids['runId'][:8]}.1"
    assert started.execution_start_to_close_timeout == "50"
    story.settle()
    child = story.child(ship)
    child.settle()
    child.skip(10)
    child.settle()
    story.settle()
    assert story.result == "shipped a"
    story.replayed()


def test_a_handle_tells_when_the_child_has_started() -> None:
    @workflow
    async def order() -> list[Any]:
        handle = ship.with_(id="mine", tag_list=["red"]).start("a")
        run_id = await handle.started
        assert handle.run_id == run_id
        assert await handle.started == run_id
        return [handle.workflow_id, run_id, await handle]

    story, child = begun(order)
    assert child.ids["workflowId"] == "mine"
    assert child.history[0].attributes.tag_list == ["red"]  # type: ignore[union-attr]
    child.settle()
    child.skip(10)
    child.settle()
    story.settle()
    assert story.result == ["mine", child.ids["runId"], "shipped a"]


def test_a_child_that_fails_raises_with_the_remote_cause() -> None:
    @workflow
    async def order() -> list[Any]:
        try:
            await ship("bad")
        except flow.ChildFailed as error:
            return [str(error), error.is_a(ValueError), error.is_a(LookupError)]
        return []

    story, child = begun(order)
    child.settle()
    child.skip(10)
    child.settle()
    story.settle()
    assert story.result == ["ship (1): ValueError: no such order", True, False]


def test_a_child_that_times_out_raises() -> None:
    @workflow
    async def order() -> str:
        try:
            await ship("a")
        except flow.ChildTimedOut as error:
            return str(error)
        return "never"

    story, _ = begun(order)
    story.skip(60)
    story.settle()
    assert story.result == "ship (1): START_TO_CLOSE"


def test_a_child_that_is_terminated_raises() -> None:
    @workflow
    async def order() -> str:
        try:
            await ship("a")
        except flow.ChildTerminated as error:
            return str(error)
        return "never"

    story, child = begun(order)
    story.rig.send(
        requests.TerminateWorkflowExecution(
            domain=DOMAIN, workflow_id=child.ids["workflowId"]
        )
    )
    story.settle()
    assert story.result == "ship (1)"


def test_a_child_that_somebody_else_canceled_raises_an_ordinary_error() -> None:
    @workflow
    async def order() -> str:
        try:
            await ship("a")
        except flow.ChildCanceled as error:
            return str(error)
        return "never"

    story, child = begun(order)
    child.settle()
    story.rig.send(
        requests.RequestCancelWorkflowExecution(
            domain=DOMAIN, workflow_id=child.ids["workflowId"]
        )
    )
    child.settle()
    story.settle()
    assert story.result == "ship (1)"


def test_a_child_that_cannot_be_started_raises() -> None:
    @flow.workflow(version="9", task_list="kids")
    async def unknown() -> None: ...

    @workflow
    async def order() -> list[str]:
        handle = unknown.start()
        told = []
        for waiting in (handle.started, handle):
            try:
                await waiting
            except flow.DecisionFailed as error:
                told.append(str(error))
        return told

    story = Story(order)
    story.settle()
    assert story.result == ["unknown (1): WORKFLOW_TYPE_DOES_NOT_EXIST"] * 2


def test_a_child_whose_id_is_taken_raises() -> None:
    @workflow
    async def order() -> str:
        mine = ship.with_(id="mine")
        first = mine.start("a")
        try:
            await mine("b")
        except flow.DecisionFailed as error:
            first.cancel()
            return str(error)
        return "never"

    story = Story(order, using=[ship])
    story.settle()
    assert story.result == "ship (2): WORKFLOW_ALREADY_RUNNING"
    story.replayed()


def test_canceling_a_child_requests_it_and_goes_on() -> None:
    @workflow
    async def order() -> str:
        try:
            async with asyncio.timeout(5):
                return await ship("a")
        except TimeoutError:
            await asyncio.sleep(1)
            return "too late"

    story, child = begun(order)
    child.settle()
    story.skip(5)
    made = story.decisions()
    workflow_id = child.ids["workflowId"]
    assert made[0] == d.RequestCancelExternalWorkflowExecution(
        workflow_id=workflow_id, control='{"fv":1,"id":"2!"}'
    )
    child.settle()
    assert isinstance(child.last, e.WorkflowExecutionCanceled)
    story.settle()
    story.skip(1)
    story.settle()
    assert story.result == "too late"


def test_canceling_a_child_may_wait_until_it_has_ended() -> None:
    @workflow
    async def order() -> str:
        try:
            async with asyncio.timeout(5):
                return await ship.with_(cancellation="wait")("a")
        except TimeoutError:
            return "canceled"

    story, child = begun(order)
    child.settle()
    story.skip(5)
    story.settle()
    assert "WorkflowExecutionCompleted" not in story.event_types
    child.settle()
    story.settle()
    assert story.result == "canceled"


def test_a_child_that_ends_while_its_cancellation_is_being_sent() -> None:
    @workflow
    async def order() -> str:
        try:
            async with asyncio.timeout(10):
                return await ship("a")
        except TimeoutError:
            await asyncio.sleep(1)
            return "too late"

    story, child = begun(order)
    child.settle()
    story.skip(10)
    story.decide(meanwhile=child.settle)
    assert "RequestCancelExternalWorkflowExecutionFailed" in story.event_types
    story.settle()
    story.skip(1)
    story.settle()
    assert story.result == "too late"


def test_abandoning_a_child_leaves_it_alone() -> None:
    @workflow
    async def order() -> str:
        handle = ship.with_(cancellation="abandon", child_policy="ABANDON").start("a")
        await handle.started
        handle.cancel()
        return "left alone"

    story, child = begun(order)
    child.settle()
    assert story.result == "left alone"
    child.skip(10)
    child.settle()
    assert child.result == "shipped a"


def test_start_of_a_child_can_be_canceled_before_it_has_started() -> None:
    @workflow
    async def order() -> list[str]:
        handle = ship.start("a")
        told = []
        started = handle.started
        await asyncio.sleep(0)
        handle.cancel()
        for waiting in (started, handle):
            try:
                await waiting
            except asyncio.CancelledError:
                told.append("canceled")
        return told

    story = Story(order, using=[ship])
    story.settle()
    assert story.result == ["canceled", "canceled"]
    assert len(story.history) == 5


def test_children_are_sent_beside_a_close() -> None:
    @workflow
    async def order() -> None:
        ship.start("a")

    story = Story(order, using=[ship])
    assert story.ids_of(story.decide())[1:] == ["CompleteWorkflowExecution"]
    assert story.event_types[-2:] == [
        "StartChildWorkflowExecutionInitiated",
        "WorkflowExecutionCompleted",
    ]
    story.replayed()


def test_a_workflow_id_that_would_be_too_long_is_shortened() -> None:
    @workflow
    async def order() -> None:
        ship.start("a")
        await asyncio.sleep(1)

    story = Story(order, using=[ship], workflow_id="o" * 250)
    [started, _] = story.decisions()
    assert isinstance(started, d.StartChildWorkflowExecution)
    assert len(started.workflow_id) == 256


# -- other executions --


@flow.workflow(version="1", task_list="kids")
async def listener() -> str:
    received = flow.signals("hello", str)
    try:
        return await received.receive()
    except asyncio.CancelledError:
        return "canceled"


def test_a_signal_reaches_another_execution() -> None:
    @workflow
    async def order(other: str) -> str:
        await flow.external(other).signal("hello", "world")
        return "sent"

    rig = Rig()
    other = Story(listener, rig=rig, workflow_id="other")
    other.settle()
    story = Story(order, "other", rig=rig)
    [sent] = story.decisions()
    assert sent == d.SignalExternalWorkflowExecution(
        workflow_id="other",
        signal_name="hello",
        input='"world"',
        control='{"fv":1,"id":"1"}',
    )
    story.settle()
    assert story.result == "sent"
    other.settle()
    assert other.result == "world"
    story.replayed()


def test_a_signal_and_a_cancel_request_for_a_child() -> None:
    @workflow
    async def order() -> list[str]:
        first, second = listener.start(), listener.start()
        await first.started
        await second.started
        await flow.external(first).signal("hello", "child")
        await flow.external(second).request_cancel()
        return [await first, await second]

    story = Story(order, using=[listener])
    story.settle()
    children = [Story(listener, rig=story.rig, ids=ids) for ids in story.children()]
    for _ in range(4):
        play_others(children)
        story.settle()
    assert story.result == ["child", "canceled"]


def play_others(children: list[Story]) -> None:
    """Decide whatever waits on the children's list, by whose run it is."""
    while (task := children[0].poll()) is not None:
        run_id = task["workflowExecution"]["runId"]
        [child] = [c for c in children if c.ids["runId"] == run_id]
        child.respond(task, child.run.decide(child.new(task)))


@pytest.mark.parametrize("verb", ["signal", "cancel"])
def test_an_execution_that_there_is_not_raises(verb: str) -> None:
    @workflow
    async def order() -> str:
        other = flow.external("nobody", "no-run")
        try:
            if verb == "signal":
                await other.signal("hello")
            else:
                await other.request_cancel()
        except flow.ExternalFailed as error:
            return error.cause
        return "never"

    story = Story(order)
    story.settle()
    assert story.result == "UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION"


def test_a_signal_need_not_be_awaited_and_is_sent_beside_a_close() -> None:
    @workflow
    async def order() -> None:
        flow.external("nobody").signal("hello")

    story = Story(order)
    made = story.ids_of(story.decide())
    assert made == ["nobody", "CompleteWorkflowExecution"]


# -- Lambda functions --

resize = flow.lambda_function("resize", result=int, timeout=30)


@workflow
async def invoking() -> str:
    try:
        return str(await resize({"width": 3}))
    except flow.OperationFailed as error:
        return str(error)


def invoked(outcome: functions.Outcome) -> Story:
    """Play a workflow until the function has come to something."""
    rig = Rig(functions=frozenset({"resize"}))
    flow_role: Any = invoking.type
    flow_role.lambda_role = "arn:aws:iam::1:role/swf"
    story = Story(invoking, rig=rig)
    story.settle()
    [invocation] = rig.engine.take_invocations()
    assert invocation.input == '{"width":3}'
    rig.engine.finished(rig.now, invocation, outcome)
    rig.take()
    story.settle()
    story.replayed()
    return story


def test_a_lambda_function_is_invoked_and_its_result_is_returned() -> None:
    story = invoked(functions.Outcome(result="7"))
    assert story.result == "7"
    assert story.answers[0].decisions == (
        d.ScheduleLambdaFunction(
            id="1", name="resize", input='{"width":3}', start_to_close_timeout="30"
        ),
    )


def test_a_lambda_function_that_fails_raises() -> None:
    story = invoked(functions.Outcome(reason="Handled", details='{"x": 1}'))
    assert story.result == "resize (1): Handled"


def test_a_lambda_function_without_a_role_raises() -> None:
    @workflow
    async def order() -> str:
        try:
            return str(await resize())
        except flow.FunctionFailed as error:
            return str(error)

    story = Story(order)
    story.settle()
    assert story.result.startswith("resize (1): ASSUME_ROLE_FAILED: No IAM role")


def test_a_lambda_function_cannot_be_canceled_and_is_left() -> None:
    @workflow
    async def order() -> str:
        try:
            async with asyncio.timeout(5):
                return str(await resize())
        except TimeoutError:
            return "too late"

    order.type.lambda_role = "arn:aws:iam::1:role/swf"
    story = Story(order, rig=Rig(functions=frozenset({"resize"})))
    story.settle()
    story.skip(5)
    assert story.decisions() == [d.CompleteWorkflowExecution(result='"too late"')]


def test_a_handle_signals_its_child_and_asks_it_to_cancel_itself() -> None:
    @workflow
    async def order() -> list[str]:
        first, second = listener.start(), listener.start()
        await first.started
        await second.started
        await first.signal("hello", "child")
        await second.request_cancel()
        return [await first, await second]

    story = Story(order, using=[listener])
    story.settle()
    children = [Story(listener, rig=story.rig, ids=ids) for ids in story.children()]
    for _ in range(4):
        play_others(children)
        story.settle()
    assert story.result == ["child", "canceled"]
    story.replayed()


def test_a_signal_to_a_child_that_has_ended_raises() -> None:
    @workflow
    async def order() -> str:
        child = ship.start("a")
        await child
        try:
            await child.signal("hello")
        except flow.ExternalFailed as error:
            return str(error)
        return "never"

    story, child = begun(order)
    child.settle()
    child.skip(10)
    child.settle()
    story.settle()
    assert story.result == "hello (2): UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION"

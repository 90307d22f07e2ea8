"""The mini SWF keeps SWF's rules of decisions, timeouts and faults."""

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import BareClient
from tests.support import arithmetic
from tests.support.calls import (
    DOMAIN,
    all_events,
    decision,
    event_types,
    poll_activity,
    poll_decision,
    respond,
    scheduled,
)
from tests.support.mini_swf import MiniSwf

if TYPE_CHECKING:
    from types_aiobotocore_swf import SWFClient


async def test_event_during_a_decision_is_scheduled_at_once_and_blocks_the_close(
    mini: MiniSwf, bare_client: BareClient
) -> None:
    async with bare_client(mini.url) as client:
        await arithmetic.register(client)
        ids = await arithmetic.start(client)
        task = await poll_decision(client)
        for _ in range(2):
            await client.signal_workflow_execution(
                domain=DOMAIN, workflowId=ids[0], signalName="unseen"
            )
        await respond(client, task, decision("CompleteWorkflowExecution"))
        again = await poll_decision(client)
        await respond(client, again, decision("CompleteWorkflowExecution"))
        types = await event_types(client, ids)
    assert again["previousStartedEventId"] == task["startedEventId"]
    assert types[3:] == [
        "WorkflowExecutionSignaled",
        "DecisionTaskScheduled",
        "WorkflowExecutionSignaled",
        "DecisionTaskCompleted",
        "CompleteWorkflowExecutionFailed",
        "DecisionTaskStarted",
        "DecisionTaskCompleted",
        "WorkflowExecutionCompleted",
    ]


async def test_cancel_request_reaches_the_worker_by_its_heartbeat(
    mini: MiniSwf, bare_client: BareClient
) -> None:
    async with bare_client(mini.url) as client:
        await arithmetic.register(client)
        ids = await arithmetic.start(client)
        await respond(client, await poll_decision(client), scheduled("a"))
        task = await poll_activity(client)
        before = await client.record_activity_task_heartbeat(
            taskToken=task["taskToken"]
        )
        await client.request_cancel_workflow_execution(domain=DOMAIN, workflowId=ids[0])
        cancel = decision("RequestCancelActivityTask", activityId="a")
        await respond(client, await poll_decision(client), cancel)
        after = await client.record_activity_task_heartbeat(taskToken=task["taskToken"])
        await client.respond_activity_task_canceled(taskToken=task["taskToken"])
        events = await all_events(client, ids)
    assert not before["cancelRequested"]
    assert after["cancelRequested"]
    canceled = events[-2]["activityTaskCanceledEventAttributes"]
    requested = [e for e in events if e["eventType"] == "ActivityTaskCancelRequested"]
    assert canceled["latestCancelRequestedEventId"] == requested[0]["eventId"]
    assert events[-1]["eventType"] == "DecisionTaskScheduled"


async def test_silent_worker_times_out_and_its_token_is_unknown(
    bare_client: BareClient,
) -> None:
    async with (
        MiniSwf(second=0.02) as mini,
        bare_client(mini.url) as client,
    ):
        await arithmetic.register(client)
        ids = await arithmetic.start(client)
        silent = scheduled("a", heartbeatTimeout="20")
        await respond(client, await poll_decision(client), silent)
        task = await poll_activity(client)
        await client.record_activity_task_heartbeat(
            taskToken=task["taskToken"], details="half"
        )
        await mini.happened("ActivityTaskTimedOut")
        with pytest.raises(ClientError, match="Unknown activity, scheduledEventId = 5"):
            await client.respond_activity_task_completed(taskToken=task["taskToken"])
        events = await all_events(client, ids)
    assert events[-2]["activityTaskTimedOutEventAttributes"] == {
        "timeoutType": "HEARTBEAT",
        "scheduledEventId": 5,
        "startedEventId": 6,
        "details": "half",
    }


async def test_slow_decider_times_out_and_the_task_is_handed_out_again(
    bare_client: BareClient,
) -> None:
    async with MiniSwf(second=0.02) as mini, bare_client(mini.url) as client:
        await arithmetic.register(client)
        ids = await arithmetic.start(client, taskStartToCloseTimeout="1")
        task = await poll_decision(client)
        await mini.happened("DecisionTaskTimedOut")
        with pytest.raises(ClientError, match="Unknown decision task"):
            await respond(client, task)
        await poll_decision(client)
        types = await event_types(client, ids)
    assert types[2:6] == [
        "DecisionTaskStarted",
        "DecisionTaskTimedOut",
        "DecisionTaskScheduled",
        "DecisionTaskStarted",
    ]


async def test_timer_fires_and_wakes_the_decider(
    mini: MiniSwf, bare_client: BareClient
) -> None:
    async with bare_client(mini.url) as client:
        await arithmetic.register(client)
        ids = await arithmetic.start(client)
        timer = decision("StartTimer", timerId="t", startToFireTimeout="0")
        await respond(client, await poll_decision(client), timer)
        await poll_decision(client)
        types = await event_types(client, ids)
    assert types[4:] == [
        "TimerStarted",
        "TimerFired",
        "DecisionTaskScheduled",
        "DecisionTaskStarted",
    ]


@pytest.mark.parametrize(
    ("decisions", "message"),
    [
        ([{"decisionType": "Sing"}], "does not know the decision Sing"),
        ([{"decisionType": "StartTimer"}], "StartTimerDecisionAttributes must be"),
        ([decision("StartTimer")], "Value null at 'timerId'"),
        (
            [decision("FailWorkflowExecution"), decision("CompleteWorkflowExecution")],
            "Close must be last decision in list",
        ),
        (
            [scheduled("a"), decision("CompleteWorkflowExecution")],
            "Specified decision is incompatible with close decision",
        ),
    ],
)
async def test_bad_list_of_decisions_changes_nothing_and_leaves_the_token_good(
    mini: MiniSwf, bare_client: BareClient, decisions: list[Any], message: str
) -> None:
    async with bare_client(mini.url, parameter_validation=False) as client:
        await arithmetic.register(client)
        ids = await arithmetic.start(client)
        task = await poll_decision(client)
        with pytest.raises(ClientError, match=message):
            await respond(client, task, *decisions)
        assert len(await event_types(client, ids)) == 3
        await respond(client, task, decision("CompleteWorkflowExecution"))


async def test_faults_have_the_names_and_words_of_swf(
    mini: MiniSwf, bare_client: BareClient
) -> None:
    async with bare_client(mini.url) as client:
        await arithmetic.register(client)
        for call, code, message in await faults(client):
            with pytest.raises(ClientError) as caught:
                await call
            error = caught.value.response["Error"]
            assert error["Code"] == code
            assert error["Message"] == message


async def faults(client: "SWFClient") -> list[tuple[Any, str, str]]:
    """List calls that must fail: the call, the code and the message."""
    workflow_id, _ = await arithmetic.start(client)
    started = {
        "domain": DOMAIN,
        "workflowId": workflow_id,
        "workflowType": {"name": arithmetic.WORKFLOW, "version": arithmetic.VERSION},
    }
    start: Any = client.start_workflow_execution
    missing = {"name": "No", "version": "1"}
    return [
        (
            client.register_domain(
                name=DOMAIN, workflowExecutionRetentionPeriodInDays="1"
            ),
            "DomainAlreadyExistsFault",
            DOMAIN,
        ),
        (
            client.register_activity_type(
                domain=DOMAIN, name="SumActivity", version=arithmetic.VERSION
            ),
            "TypeAlreadyExistsFault",
            f"ActivityType=[name=SumActivity, version={arithmetic.VERSION}]",
        ),
        (start(**started), "WorkflowExecutionAlreadyStartedFault", ""),
        (
            start(**(started | {"workflowType": missing})),
            "UnknownResourceFault",
            "Unknown type: WorkflowType=[name=No, version=1]",
        ),
        (
            start(**(started | {"domain": "nowhere"})),
            "UnknownResourceFault",
            "Unknown domain: nowhere",
        ),
        (
            client.terminate_workflow_execution(domain=DOMAIN, workflowId="nobody"),
            "UnknownResourceFault",
            "Unknown execution, workflowId = nobody",
        ),
        (
            client.respond_activity_task_completed(taskToken="garbage"),
            "ValidationException",
            "Invalid token",
        ),
        (
            client.list_domains(registrationStatus="REGISTERED"),
            "UnknownOperationException",
            "",
        ),
    ]


async def test_failure_inside_is_an_http_500_and_is_raised_when_the_server_is_left(
    bare_client: BareClient,
) -> None:
    with pytest.raises(ExceptionGroup, match="the mini SWF failed"):
        async with (
            MiniSwf() as mini,
            bare_client(mini.url, parameter_validation=False) as client,
        ):
            await arithmetic.register(client)
            bad: Any = {"name": ["unhashable"], "version": "1"}
            with pytest.raises(ClientError, match="InternalFailure"):
                await client.describe_workflow_type(domain=DOMAIN, workflowType=bad)

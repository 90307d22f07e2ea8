"""Every operation of SWF once, in an order in which each one succeeds."""

from collections.abc import Awaitable, Callable
from typing import Any

#: Calls an operation with its members, and gives its answer as plain JSON.
Ask = Callable[[str, dict[str, Any]], Awaitable[Any]]

DOMAIN = "shop"
IN = {"domain": DOMAIN}
ORDER = {"name": "order", "version": "1"}
PAY = {"name": "pay", "version": "1"}
DECIDERS = IN | {"taskList": {"name": "deciders"}}
PAYERS = IN | {"taskList": {"name": "payers"}}

#: What answers with an empty body.
VOID = frozenset(
    {
        "DeleteActivityType",
        "DeleteWorkflowType",
        "DeprecateActivityType",
        "DeprecateDomain",
        "DeprecateWorkflowType",
        "RegisterActivityType",
        "RegisterDomain",
        "RegisterWorkflowType",
        "RequestCancelWorkflowExecution",
        "RespondActivityTaskCanceled",
        "RespondActivityTaskCompleted",
        "RespondActivityTaskFailed",
        "RespondDecisionTaskCompleted",
        "SignalWorkflowExecution",
        "TagResource",
        "TerminateWorkflowExecution",
        "UndeprecateActivityType",
        "UndeprecateDomain",
        "UndeprecateWorkflowType",
        "UntagResource",
    }
)


async def tour(ask: Ask) -> None:
    """Call all 39 operations."""
    await register(ask)
    await _look_at_types(ask)
    await _tag(ask)
    run = await _run(ask)
    await _end(ask, run)
    await _put_away(ask)


async def register(ask: Ask) -> None:
    """Register a domain, a type of workflows and one of activities."""
    retention = {"workflowExecutionRetentionPeriodInDays": "1"}
    await ask("RegisterDomain", {"name": DOMAIN} | retention)
    workflows = {
        "defaultChildPolicy": "TERMINATE",
        "defaultExecutionStartToCloseTimeout": "1000",
        "defaultTaskList": {"name": "deciders"},
        "defaultTaskStartToCloseTimeout": "100",
    }
    await ask("RegisterWorkflowType", IN | ORDER | workflows)
    activities = {
        "defaultTaskHeartbeatTimeout": "NONE",
        "defaultTaskList": {"name": "payers"},
        "defaultTaskScheduleToCloseTimeout": "NONE",
        "defaultTaskScheduleToStartTimeout": "NONE",
        "defaultTaskStartToCloseTimeout": "100",
    }
    await ask("RegisterActivityType", IN | PAY | activities)


async def _look_at_types(ask: Ask) -> None:
    registered = {"registrationStatus": "REGISTERED"}
    await ask("DescribeDomain", {"name": DOMAIN})
    await ask("ListDomains", registered)
    await ask("DescribeWorkflowType", IN | {"workflowType": ORDER})
    await ask("DescribeActivityType", IN | {"activityType": PAY})
    await ask("ListWorkflowTypes", IN | registered)
    await ask("ListActivityTypes", IN | registered)


async def _tag(ask: Ask) -> None:
    resource = {
        "resourceArn": f"arn:aws:swf:us-east-1:123456789012:/domain/{DOMAIN}",
    }
    await ask("TagResource", resource | {"tags": [{"key": "k", "value": "v"}]})
    await ask("ListTagsForResource", resource)
    await ask("UntagResource", resource | {"tagKeys": ["k"]})


async def start(ask: Ask, activities: int, workflow_id: str = "o-1") -> Any:
    """Start a run that schedules so many activities; give its ids."""
    ids = {"workflowId": workflow_id}
    started = await ask("StartWorkflowExecution", IN | ids | {"workflowType": ORDER})
    task = await ask("PollForDecisionTask", DECIDERS)
    decisions = [
        {
            "decisionType": "ScheduleActivityTask",
            "scheduleActivityTaskDecisionAttributes": {
                "activityId": str(number),
                "activityType": PAY,
            },
        }
        for number in range(activities)
    ]
    answer = {"taskToken": task["taskToken"], "decisions": decisions}
    await ask("RespondDecisionTaskCompleted", answer)
    return ids | {"runId": started["runId"]}


async def _run(ask: Ask) -> Any:
    await ask("CountPendingDecisionTasks", DECIDERS)
    run = await start(ask, activities=3)
    await ask("CountPendingActivityTasks", PAYERS)
    for operation in (
        "RespondActivityTaskCompleted",
        "RespondActivityTaskFailed",
        "RespondActivityTaskCanceled",
    ):
        task = await ask("PollForActivityTask", PAYERS)
        token = {"taskToken": task["taskToken"]}
        await ask("RecordActivityTaskHeartbeat", token)
        await ask(operation, token)
    await ask("SignalWorkflowExecution", IN | run | {"signalName": "s"})
    await ask("RequestCancelWorkflowExecution", IN | run)
    return run


async def _end(ask: Ask, run: Any) -> None:
    window = IN | {"startTimeFilter": {"oldestDate": 0}}
    await ask("DescribeWorkflowExecution", IN | {"execution": run})
    await ask("GetWorkflowExecutionHistory", IN | {"execution": run})
    await ask("ListOpenWorkflowExecutions", window)
    await ask("CountOpenWorkflowExecutions", window)
    await ask("TerminateWorkflowExecution", IN | run)
    await ask("ListClosedWorkflowExecutions", window)
    await ask("CountClosedWorkflowExecutions", window)


async def _put_away(ask: Ask) -> None:
    for kind, members in (
        ("WorkflowType", {"workflowType": ORDER}),
        ("ActivityType", {"activityType": PAY}),
    ):
        for what in ("Deprecate", "Undeprecate", "Deprecate", "Delete"):
            await ask(f"{what}{kind}", IN | members)
    await ask("DeprecateDomain", {"name": DOMAIN})
    await ask("UndeprecateDomain", {"name": DOMAIN})

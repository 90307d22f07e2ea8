"""The arithmetic workflow on a plain SWF client, one call at a time.

Source: the design card's README, "The arithmetic workflow".
"""

import json
import math
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types_aiobotocore_swf import SWFClient
    from types_aiobotocore_swf.type_defs import DecisionTypeDef, HistoryEventTypeDef

DOMAIN = "math"
VERSION = "1.0.0"
WORKFLOW = "ArithmeticWorkflow"
ACTIVITIES: dict[str, Callable[[list[int]], int]] = {
    "MultiplyActivity": math.prod,
    "SumActivity": sum,
}
_ACTIVITY_OF = {"multiply": "MultiplyActivity", "sum": "SumActivity"}

OPERATIONS: list[Any] = [
    ["mult_id", "multiply", [1, 2, 3]],
    ["sum_id", "sum", [1, 2, 3, 4]],
]
RESULT = {"mult_id": 6, "sum_id": 10}


def task_list(type_name: str) -> str:
    """Name the task list of a type."""
    return f"{type_name}-{VERSION}"


async def register(client: "SWFClient", domain: str = DOMAIN) -> None:
    """Register the domain and its three types, with all defaults."""
    await client.register_domain(
        name=domain, workflowExecutionRetentionPeriodInDays="30"
    )
    await client.register_workflow_type(
        domain=domain,
        name=WORKFLOW,
        version=VERSION,
        defaultTaskList={"name": task_list(WORKFLOW)},
        defaultExecutionStartToCloseTimeout="600",
        defaultTaskStartToCloseTimeout="120",
        defaultChildPolicy="TERMINATE",
    )
    for name in ACTIVITIES:
        await client.register_activity_type(
            domain=domain,
            name=name,
            version=VERSION,
            defaultTaskList={"name": task_list(name)},
            defaultTaskHeartbeatTimeout="3600",
            defaultTaskScheduleToCloseTimeout="3600",
            defaultTaskScheduleToStartTimeout="3600",
            defaultTaskStartToCloseTimeout="3600",
        )


async def start(
    client: "SWFClient", domain: str = DOMAIN, **settings: Any
) -> tuple[str, str]:
    """Start an execution.

    Args:
        client: A plain client.
        domain: Where it was registered.
        settings: More members of StartWorkflowExecution.

    Returns:
        Workflow id and run id.
    """
    identity = str(uuid.uuid4())
    workflow_id = f"{WORKFLOW}-{identity}"
    started = await client.start_workflow_execution(
        domain=domain,
        workflowId=workflow_id,
        workflowType={"name": WORKFLOW, "version": VERSION},
        input=json.dumps({"id": identity, "operations": OPERATIONS}),
        **settings,
    )
    return workflow_id, started["runId"]


async def decide(client: "SWFClient", domain: str = DOMAIN) -> bool:
    """Poll for one decision task and complete it.

    Returns:
        Whether there was one.
    """
    task = await client.poll_for_decision_task(
        domain=domain, taskList={"name": task_list(WORKFLOW)}
    )
    if not task["startedEventId"]:
        return False
    await client.respond_decision_task_completed(
        taskToken=task["taskToken"], decisions=decisions(task["events"])
    )
    return True


def decisions(events: "list[HistoryEventTypeDef]") -> "list[DecisionTypeDef]":
    """Decide on a whole history, oldest event first."""
    started = events[0]["workflowExecutionStartedEventAttributes"]
    given = json.loads(started["input"])
    results = [
        json.loads(event["activityTaskCompletedEventAttributes"]["result"])
        for event in events
        if event["eventType"] == "ActivityTaskCompleted"
    ]
    if len(results) == len(given["operations"]):
        attributes: Any = {"result": json.dumps(dict(results))}
        return [
            {
                "decisionType": "CompleteWorkflowExecution",
                "completeWorkflowExecutionDecisionAttributes": attributes,
            }
        ]
    if any(event["eventType"] == "ActivityTaskScheduled" for event in events):
        return []
    return [_schedule(given["id"], *operation) for operation in given["operations"]]


def _schedule(
    identity: str, operation_id: str, name: str, numbers: list[int]
) -> "DecisionTypeDef":
    type_name = _ACTIVITY_OF[name]
    return {
        "decisionType": "ScheduleActivityTask",
        "scheduleActivityTaskDecisionAttributes": {
            "activityType": {"name": type_name, "version": VERSION},
            "activityId": f"{type_name}-{identity}",
            "input": json.dumps({"id": identity, "operation": [operation_id, numbers]}),
        },
    }


async def work(client: "SWFClient", type_name: str, domain: str = DOMAIN) -> bool:
    """Poll for one activity task of a type and complete it.

    Returns:
        Whether there was one.
    """
    task = await client.poll_for_activity_task(
        domain=domain, taskList={"name": task_list(type_name)}
    )
    if not task["startedEventId"]:
        return False
    operation_id, numbers = json.loads(task["input"])["operation"]
    result = [operation_id, ACTIVITIES[type_name](numbers)]
    await client.respond_activity_task_completed(
        taskToken=task["taskToken"], result=json.dumps(result)
    )
    return True

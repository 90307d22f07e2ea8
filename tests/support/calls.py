"""Short forms of calls on a plain SWF client, about the arithmetic workflow's types."""

from typing import TYPE_CHECKING, Any

from tests.support import arithmetic

if TYPE_CHECKING:
    from types_aiobotocore_swf import SWFClient

DOMAIN = arithmetic.DOMAIN
DECIDER = {"name": arithmetic.task_list(arithmetic.WORKFLOW)}
WORKER = {"name": arithmetic.task_list("SumActivity")}


def scheduled(activity_id: str, **settings: Any) -> Any:
    """Build a decision that schedules a SumActivity."""
    given = {
        "activityType": {"name": "SumActivity", "version": arithmetic.VERSION},
        "activityId": activity_id,
    }
    return decision("ScheduleActivityTask", **(given | settings))


def decision(kind: str, **attributes: Any) -> Any:
    """Build a decision."""
    member = f"{kind[0].lower()}{kind[1:]}DecisionAttributes"
    return {"decisionType": kind, member: attributes}


async def poll_decision(client: "SWFClient", **settings: Any) -> Any:
    """Poll for a decision task."""
    task = await client.poll_for_decision_task(
        domain=DOMAIN, taskList={"name": DECIDER["name"]}, **settings
    )
    assert task["startedEventId"]
    return task


async def poll_activity(client: "SWFClient") -> Any:
    """Poll for an activity task of the SumActivity."""
    return await client.poll_for_activity_task(
        domain=DOMAIN, taskList={"name": WORKER["name"]}
    )


async def respond(client: "SWFClient", task: Any, *decisions: Any) -> None:
    """Complete a decision task."""
    await client.respond_decision_task_completed(
        taskToken=task["taskToken"], decisions=list(decisions)
    )


async def event_types(client: "SWFClient", ids: tuple[str, str]) -> list[str]:
    """List the types of all events of a run."""
    return [event["eventType"] for event in await all_events(client, ids)]


async def all_events(client: "SWFClient", ids: tuple[str, str]) -> list[Any]:
    """Fetch all events of a run."""
    answer = await client.get_workflow_execution_history(
        domain=DOMAIN, execution={"workflowId": ids[0], "runId": ids[1]}
    )
    return list(answer["events"])

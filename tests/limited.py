"""Requests with one member as a test wants it, and all others right."""

from collections.abc import Callable
from typing import Any

from flowser import decisions, requests, shapes
from flowser.requests import Request

ALBUM = shapes.WorkflowType(name="Album", version="1.0")
ALWAYS = shapes.ExecutionTimeFilter(oldest_date=0.0)
Make = Callable[[Any], Request[Any]]


def start(**given: Any) -> requests.StartWorkflowExecution:
    members: dict[str, Any] = {
        "domain": "d",
        "workflow_id": "w",
        "workflow_type": ALBUM,
    }
    return requests.StartWorkflowExecution(**(members | given))


def terminate(**given: Any) -> requests.TerminateWorkflowExecution:
    return requests.TerminateWorkflowExecution(domain="d", workflow_id="w", **given)


def answer(*made: decisions.Decision, **given: Any) -> Request[Any]:
    return requests.RespondDecisionTaskCompleted(
        task_token="t", decisions=tuple(map(decisions.wrapped, made)) or None, **given
    )


def listing(**given: Any) -> requests.ListOpenWorkflowExecutions:
    return requests.ListOpenWorkflowExecutions(
        domain="d", start_time_filter=ALWAYS, **given
    )


def registration(**given: Any) -> requests.RegisterActivityType:
    members: dict[str, Any] = {"domain": "d", "name": "n", "version": "v"}
    return requests.RegisterActivityType(**(members | given))


def tagging(key: Any = "k", value: Any = "v", arn: Any = "arn:x") -> Request[Any]:
    tag = shapes.ResourceTag(key=key, value=value)
    return requests.TagResource(resource_arn=arn, tags=(tag,))


def poll(**given: Any) -> requests.PollForDecisionTask:
    return requests.PollForDecisionTask(
        domain="d", task_list=shapes.TaskList(name="l"), **given
    )

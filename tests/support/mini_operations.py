"""The operations of the mini SWF, except the two polls.

Source: swf-semantics.md, sections 1.3, 1.6, 1.7, 6 and 7.
"""

from collections.abc import Callable
from functools import partial

from tests.support.answers import (
    Fault,
    Refused,
    invalid,
    member_missing,
    unknown_resource,
)
from tests.support.mini_decisions import apply_decisions, validate
from tests.support.mini_defaults import WORKFLOW_SETTINGS, resolve
from tests.support.mini_engine import Engine
from tests.support.mini_model import (
    ActivityTask,
    DecisionTask,
    Domain,
    Execution,
    RegisteredType,
    unknown_execution,
    unknown_task,
)
from tests.support.mini_pages import Params, encode, page
from tests.support.mini_visibility import execution_info, list_closed, list_open

Operation = Callable[[Engine, Params], bytes]

VOID = b""


def register_domain(engine: Engine, given: Params) -> bytes:
    """RegisterDomain."""
    name = given["name"]
    if name in engine.domains:
        raise Refused(Fault("DomainAlreadyExistsFault", name))
    retention = given["workflowExecutionRetentionPeriodInDays"]
    engine.domains[name] = Domain(name, given.get("description"), retention)
    return VOID


def describe_domain(engine: Engine, given: Params) -> bytes:
    """DescribeDomain."""
    domain = engine.domain(given["name"])
    info = {
        "name": domain.name,
        "status": "REGISTERED",
        "arn": f"arn:aws:swf:us-east-1:000000000000:/domain/{domain.name}",
    }
    if domain.description is not None:
        info["description"] = domain.description
    configuration = {"workflowExecutionRetentionPeriodInDays": domain.retention}
    return encode({"domainInfo": info, "configuration": configuration})


def register_type(kind: str, engine: Engine, given: Params) -> bytes:
    """RegisterWorkflowType and RegisterActivityType."""
    domain = engine.domain(given["domain"])
    ids = {"name": given["name"], "version": given["version"]}
    if domain.type_of(kind, ids) is not None:
        raise Refused(Fault("TypeAlreadyExistsFault", _type_text(kind, ids)))
    defaults = {n: value for n, value in given.items() if n.startswith("default")}
    known = RegisteredType(ids, given.get("description"), defaults, engine.now)
    domain.types[kind, ids["name"], ids["version"]] = known
    return VOID


def describe_type(kind: str, engine: Engine, given: Params) -> bytes:
    """DescribeWorkflowType and DescribeActivityType."""
    member = f"{kind}Type"
    known = find_type(engine.domain(given["domain"]), kind, given[member])
    info: Params = {
        member: known.ids,
        "status": "REGISTERED",
        "creationDate": known.created_at,
    }
    if known.description is not None:
        info["description"] = known.description
    return encode({"typeInfo": info, "configuration": known.defaults})


def find_type(domain: Domain, kind: str, ids: Params) -> RegisteredType:
    """Find a type, or refuse."""
    known = domain.type_of(kind, ids)
    if known is None:
        raise Refused(unknown_resource(f"Unknown type: {_type_text(kind, ids)}"))
    return known


def _type_text(kind: str, ids: Params) -> str:
    return f"{kind.title()}Type=[name={ids['name']}, version={ids['version']}]"


def start_execution(engine: Engine, given: Params) -> bytes:
    """StartWorkflowExecution."""
    domain = engine.domain(given["domain"])
    known = find_type(domain, "workflow", given["workflowType"])
    config, absent = resolve(given, known.defaults, WORKFLOW_SETTINGS)
    if absent is not None:
        raise Refused(Fault("DefaultUndefinedFault", absent))
    workflow_id = given["workflowId"]
    if workflow_id in domain.open:
        raise Refused(Fault("WorkflowExecutionAlreadyStartedFault", None))
    tags = given.get("tagList")
    execution = Execution(domain, workflow_id, known.ids, config, tags)
    engine.start(execution, {"input": given.get("input")})
    return encode({"runId": execution.run_id})


def find_open(engine: Engine, given: Params) -> Execution:
    """Find the open run that a call names by workflow id and, maybe, run id."""
    domain = engine.domain(given["domain"])
    run_id = given.get("runId")
    execution = domain.open.get(given["workflowId"])
    if execution is None or (run_id and execution.run_id != run_id):
        raise unknown_execution(given["workflowId"], run_id)
    return execution


def find_run(engine: Engine, given: Params) -> Execution:
    """Find a run, open or closed, by its ``execution`` structure."""
    domain = engine.domain(given["domain"])
    ids = given["execution"]
    execution = engine.runs.get(ids["runId"])
    if execution is None or execution.domain is not domain or execution.ids != ids:
        raise unknown_execution(ids["workflowId"], ids["runId"])
    return execution


def signal(engine: Engine, given: Params) -> bytes:
    """SignalWorkflowExecution."""
    execution = find_open(engine, given)
    attributes = {
        "signalName": given["signalName"],
        "input": given.get("input"),
        "externalInitiatedEventId": 0,
    }
    engine.append(execution, "WorkflowExecutionSignaled", attributes)
    engine.settle(execution)
    return VOID


def request_cancel(engine: Engine, given: Params) -> bytes:
    """RequestCancelWorkflowExecution."""
    execution = find_open(engine, given)
    execution.cancel_requested = True
    attributes = {"externalInitiatedEventId": 0}
    engine.append(execution, "WorkflowExecutionCancelRequested", attributes)
    engine.settle(execution)
    return VOID


def terminate(engine: Engine, given: Params) -> bytes:
    """TerminateWorkflowExecution."""
    execution = find_open(engine, given)
    attributes = {
        "childPolicy": given.get("childPolicy") or execution.config["childPolicy"],
        "reason": given.get("reason"),
        "details": given.get("details"),
        "cause": "OPERATOR_INITIATED",
    }
    engine.append(execution, "WorkflowExecutionTerminated", attributes)
    engine.close(execution, "TERMINATED")
    return VOID


def history(engine: Engine, given: Params) -> bytes:
    """GetWorkflowExecutionHistory."""
    execution = find_run(engine, given)
    ids, span = (execution.run_id, 0), (1, len(execution.events))
    return encode(page(execution.events, given, ids, span, engine.page_size))


def describe_execution(engine: Engine, given: Params) -> bytes:
    """DescribeWorkflowExecution."""
    execution = find_run(engine, given)
    answer: Params = {
        "executionInfo": execution_info(execution),
        "executionConfiguration": execution.config,
        "openCounts": {
            "openActivityTasks": len(execution.activities),
            "openDecisionTasks": int(bool(execution.running or execution.pending)),
            "openTimers": len(execution.timers) if execution.is_open else 0,
            "openChildWorkflowExecutions": 0,
            "openLambdaFunctions": 0,
        },
    }
    if execution.last_activity_at is not None:
        answer["latestActivityTaskTimestamp"] = execution.last_activity_at
    if execution.context is not None:
        answer["latestExecutionContext"] = execution.context
    return encode(answer)


def decision_completed(engine: Engine, given: Params) -> bytes:
    """RespondDecisionTaskCompleted."""
    task = engine.task(given["taskToken"])
    if not isinstance(task, DecisionTask):
        raise unknown_task(DecisionTask.kind, task.scheduled_id)
    if given.get("taskList"):
        raise Refused(invalid("The mini SWF does not do task list overrides"))
    decisions = given.get("decisions") or []
    validate(decisions)
    execution = task.execution
    task.close()
    execution.running = None
    execution.previous_started_id = task.started_id
    context = given.get("executionContext")
    if context is not None:
        execution.context = context
    attributes = {
        "scheduledEventId": task.scheduled_id,
        "startedEventId": task.started_id,
        "executionContext": context,
    }
    completed_id = engine.append(execution, "DecisionTaskCompleted", attributes)
    apply_decisions(engine, execution, decisions, completed_id)
    engine.settle(execution)
    return VOID


def find_activity(engine: Engine, given: Params) -> ActivityTask:
    """Find the open activity task of a token."""
    task = engine.task(given["taskToken"])
    if not isinstance(task, ActivityTask):
        raise unknown_task(ActivityTask.kind, task.scheduled_id)
    return task


def heartbeat(engine: Engine, given: Params) -> bytes:
    """RecordActivityTaskHeartbeat."""
    task = find_activity(engine, given)
    task.details = given.get("details")
    engine.wind(task, "heartbeatTimeout")
    return encode({"cancelRequested": task.cancel_id is not None})


def activity_completed(engine: Engine, given: Params) -> bytes:
    """RespondActivityTaskCompleted."""
    task = find_activity(engine, given)
    result = {"result": given.get("result")}
    engine.close_activity(task, "ActivityTaskCompleted", result)
    return VOID


def activity_failed(engine: Engine, given: Params) -> bytes:
    """RespondActivityTaskFailed."""
    task = find_activity(engine, given)
    why = {"reason": given.get("reason"), "details": given.get("details")}
    engine.close_activity(task, "ActivityTaskFailed", why)
    return VOID


def activity_canceled(engine: Engine, given: Params) -> bytes:
    """RespondActivityTaskCanceled."""
    task = find_activity(engine, given)
    attributes = {
        "details": given.get("details"),
        "latestCancelRequestedEventId": task.cancel_id,
    }
    engine.close_activity(task, "ActivityTaskCanceled", attributes)
    return VOID


def require(operation: str, given: Params) -> None:
    """Refuse a request that lacks a required member."""
    for name in REQUIRED[operation]:
        if given.get(name) is None:
            raise Refused(member_missing(name))


_TYPE = ("domain", "name", "version")
_RUN = ("domain", "execution")
_OPEN = ("domain", "workflowId")
_TOKEN = ("taskToken",)

# Each operation, and the members it cannot do without.
_TABLE: dict[str, tuple[Operation, tuple[str, ...]]] = {
    "RegisterDomain": (
        register_domain,
        ("name", "workflowExecutionRetentionPeriodInDays"),
    ),
    "DescribeDomain": (describe_domain, ("name",)),
    "RegisterWorkflowType": (partial(register_type, "workflow"), _TYPE),
    "RegisterActivityType": (partial(register_type, "activity"), _TYPE),
    "DescribeWorkflowType": (
        partial(describe_type, "workflow"),
        ("domain", "workflowType"),
    ),
    "DescribeActivityType": (
        partial(describe_type, "activity"),
        ("domain", "activityType"),
    ),
    "StartWorkflowExecution": (start_execution, (*_OPEN, "workflowType")),
    "SignalWorkflowExecution": (signal, (*_OPEN, "signalName")),
    "RequestCancelWorkflowExecution": (request_cancel, _OPEN),
    "TerminateWorkflowExecution": (terminate, _OPEN),
    "GetWorkflowExecutionHistory": (history, _RUN),
    "DescribeWorkflowExecution": (describe_execution, _RUN),
    "ListOpenWorkflowExecutions": (list_open, ("domain", "startTimeFilter")),
    "ListClosedWorkflowExecutions": (list_closed, ("domain",)),
    "RespondDecisionTaskCompleted": (decision_completed, _TOKEN),
    "RespondActivityTaskCompleted": (activity_completed, _TOKEN),
    "RespondActivityTaskFailed": (activity_failed, _TOKEN),
    "RespondActivityTaskCanceled": (activity_canceled, _TOKEN),
    "RecordActivityTaskHeartbeat": (heartbeat, _TOKEN),
}
OPERATIONS = {name: operation for name, (operation, _) in _TABLE.items()}
REQUIRED = {name: members for name, (_, members) in _TABLE.items()} | {
    "PollForDecisionTask": ("domain", "taskList"),
    "PollForActivityTask": ("domain", "taskList"),
}

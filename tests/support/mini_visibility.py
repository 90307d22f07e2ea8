"""Lists of executions.

Source: swf-semantics.md, section 7.
"""

from collections.abc import Callable

from tests.support.answers import Refused, invalid
from tests.support.mini_engine import Engine
from tests.support.mini_model import Execution
from tests.support.mini_pages import Params, encode, page_size, seal, unseal

When = Callable[[Execution], float]


def execution_info(execution: Execution) -> Params:
    """Build the ``executionInfo`` structure."""
    info: Params = {
        "execution": execution.ids,
        "workflowType": execution.workflow_type,
        "startTimestamp": execution.started_at,
        "executionStatus": "OPEN" if execution.is_open else "CLOSED",
        # Seen false on closed runs that had been asked to cancel.
        "cancelRequested": execution.cancel_requested and execution.is_open,
    }
    if not execution.is_open:
        info["closeStatus"] = execution.close_status
        info["closeTimestamp"] = execution.closed_at
    if execution.tags is not None:
        info["tagList"] = execution.tags
    return info


def list_open(engine: Engine, given: Params) -> bytes:
    """ListOpenWorkflowExecutions."""
    found = list(engine.domain(given["domain"]).open.values())
    return _list(engine, found, given)


def list_closed(engine: Engine, given: Params) -> bytes:
    """ListClosedWorkflowExecutions."""
    by_start, by_close = given.get("startTimeFilter"), given.get("closeTimeFilter")
    if by_start is None and by_close is None:
        raise Refused(invalid("Must specify time filter"))
    if by_start is not None and by_close is not None:
        text = "Cannot specify both a startTimeFilter and a closeTimeFilter"
        raise Refused(invalid(text))
    return _list(engine, engine.domain(given["domain"]).closed, given)


def _list(engine: Engine, executions: list[Execution], given: Params) -> bytes:
    when: When = _closed_at if given.get("closeTimeFilter") else _started_at
    found = [run for run in executions if _passes(run, given)]
    # Equal times: the later one is the newer one, as it came in later.
    found.sort(key=when)
    if not given.get("reverseOrder"):
        found.reverse()
    token = given.get("nextPageToken")
    [start] = unseal(token, "list") if token else [0]
    end = start + min(page_size(given), engine.page_size)
    infos = [execution_info(run) for run in found[start:end]]
    answer: Params = {"executionInfos": infos}
    if end < len(found):
        answer["nextPageToken"] = seal("list", end)
    return encode(answer)


def _passes(execution: Execution, given: Params) -> bool:
    """Whether every filter that was given lets *execution* through."""
    return all(
        passes(execution, given[name])
        for name, passes in _FILTERS.items()
        if given.get(name) is not None
    )


def _started_at(execution: Execution) -> float:
    return execution.started_at


def _closed_at(execution: Execution) -> float:
    return execution.closed_at or 0.0


def _within(at: float, span: Params) -> bool:
    oldest, latest = span["oldestDate"], span.get("latestDate")
    return bool(oldest <= at and (latest is None or at <= latest))


def _of_type(execution: Execution, wanted: Params) -> bool:
    version = wanted.get("version") or execution.workflow_type["version"]
    ids = {"name": wanted["name"], "version": version}
    return bool(execution.workflow_type == ids)


_FILTERS: dict[str, Callable[[Execution, Params], bool]] = {
    "startTimeFilter": lambda run, span: _within(run.started_at, span),
    "closeTimeFilter": lambda run, span: _within(_closed_at(run), span),
    "executionFilter": lambda run, wanted: run.workflow_id == wanted["workflowId"],
    "typeFilter": _of_type,
    "tagFilter": lambda run, wanted: wanted["tag"] in (run.tags or ()),
    "closeStatusFilter": lambda run, wanted: run.close_status == wanted["status"],
}

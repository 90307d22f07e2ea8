"""Lists and counts of executions, and how long closed ones are kept.

Source:
    swf-semantics.md sections 1.4, 1.6 and 7.
"""

from typing import Any

from flowser.local.engine.quotas import Quotas
from tests.conformance.face import Swf, decision
from tests.conformance.registry import scenario

_SINCE = {"oldestDate": 0}
_MOTO = "10.2: list filters; 10.1: Count operations are absent"


async def _ids(swf: Swf, kind: str, **asked: Any) -> list[str]:
    """List executions, see that they are counted likewise, and give their names."""
    operation = f"List{kind}WorkflowExecutions"
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = await swf.call(operation, **asked, **token)
        found += [each["execution"]["workflowId"] for each in page["executionInfos"]]
        if "nextPageToken" not in page:
            break
        token = {"nextPageToken": page["nextPageToken"]}
    order = {"reverseOrder", "maximumPageSize"}
    counted = {name: value for name, value in asked.items() if name not in order}
    answer = await swf.call(f"Count{kind}WorkflowExecutions", **counted)
    assert answer == {"count": len(found), "truncated": False}
    suffix = len(swf.backend.suffix)
    return [id[: len(id) - suffix] for id in found]


async def _times(swf: Swf, runs: list[dict[str, str]], member: str) -> list[float]:
    infos = [(await swf.describe(run))["executionInfo"] for run in runs]
    return [info[member] for info in infos]


@scenario(clock=True)
async def open_executions_are_listed_newest_first(swf: Swf) -> None:
    """Section 7: bounds are inclusive."""
    runs = []
    for id in "abcde":
        runs.append(await swf.start(id))
        await swf.skip(1.001)
    await swf.terminate("c")
    times = await _times(swf, runs, "startTimestamp")
    since: dict[str, Any] = {"startTimeFilter": _SINCE}
    assert await _ids(swf, "Open", **since) == [*"edba"]
    for size in (1, 2, 3, 4):
        paged = since | {"maximumPageSize": size}
        assert await _ids(swf, "Open", **paged) == [*"edba"]
        assert await _ids(swf, "Open", **paged, reverseOrder=True) == [*"abde"]
    for oldest, latest, wanted in ((1, 3, "db"), (0, 0, "a"), (2, 2, ""), (4, 1, "")):
        bounds = {"oldestDate": times[oldest], "latestDate": times[latest]}
        found = await _ids(swf, "Open", startTimeFilter=bounds)
        assert found == [*wanted]
    full = await swf.call("ListOpenWorkflowExecutions", **since, maximumPageSize=4)
    assert "nextPageToken" not in full


@scenario(clock=True)
async def closed_executions_are_listed_by_start_or_by_close(swf: Swf) -> None:
    """Section 7."""
    runs = []
    for id in "abcd":
        runs.append(await swf.start(id))
        await swf.skip(1)
    for id in "cab":
        await swf.terminate(id)
        await swf.skip(1)
    started = {"startTimeFilter": _SINCE}
    closed = {"closeTimeFilter": _SINCE}
    assert await _ids(swf, "Closed", **started) == [*"cba"]
    assert await _ids(swf, "Closed", **closed) == [*"bac"]
    back: dict[str, Any] = {"reverseOrder": True, "maximumPageSize": 2}
    assert await _ids(swf, "Closed", **started, **back) == [*"abc"]
    assert await _ids(swf, "Closed", **closed, **back) == [*"cab"]
    (at,) = await _times(swf, [runs[0]], "closeTimestamp")
    bounds = {"oldestDate": at, "latestDate": at}
    assert await _ids(swf, "Closed", closeTimeFilter=bounds) == ["a"]
    assert await _ids(swf, "Closed", startTimeFilter=bounds) == []


@scenario(moto=_MOTO)
async def executions_are_filtered_by_id_type_and_tag(swf: Swf) -> None:
    """Section 7: exactly, and with regard to upper and lower case."""
    second = swf.order | {"version": "2"}
    other = {"name": swf.id("other"), "version": "1"}
    for type in (second, other):
        await swf.call("RegisterWorkflowType", **type)
    given: dict[str, Any] = {
        "executionStartToCloseTimeout": "100",
        "taskList": swf.deciders,
        "taskStartToCloseTimeout": "10",
        "childPolicy": "ABANDON",
    }
    tag, tagged = swf.id("tag"), swf.id("Tag")
    starts = [
        ("a", swf.order, [tag]),
        ("b", second, [tagged, tag]),
        ("c", other, [tagged]),
        ("d", swf.order, []),
    ]
    for id, type, tags in starts:
        await swf.start(id, workflowType=type, tagList=tags, **given)
    name = {"name": swf.order["name"]}
    filters = [
        ({"typeFilter": name}, "abd"),
        ({"typeFilter": name | {"version": ""}}, "abd"),
        ({"typeFilter": second}, "b"),
        ({"typeFilter": name | {"version": "3"}}, ""),
        ({"tagFilter": {"tag": tag}}, "ab"),
        ({"tagFilter": {"tag": tagged}}, "bc"),
        ({"tagFilter": {"tag": swf.id("t")}}, ""),
        ({"executionFilter": {"workflowId": swf.id("c")}}, "c"),
        ({"executionFilter": {"workflowId": swf.id("C")}}, ""),
    ]
    for wanted, ids in filters:
        found = await _ids(swf, "Open", startTimeFilter=_SINCE, **wanted)
        assert sorted(found) == [*ids], wanted
    for id, _, _ in starts:
        await swf.terminate(id)
    for wanted, ids in filters:
        for times in ("startTimeFilter", "closeTimeFilter"):
            found = await _ids(swf, "Closed", **{times: _SINCE}, **wanted)
            assert sorted(found) == [*ids], wanted
    for type in (second, other):
        await swf.call("DeprecateWorkflowType", workflowType=type)


@scenario(moto=_MOTO)
async def closed_executions_are_filtered_by_their_ends(swf: Swf) -> None:
    ends = {
        "a": ("CompleteWorkflowExecution", "COMPLETED"),
        "b": ("FailWorkflowExecution", "FAILED"),
        "c": ("CancelWorkflowExecution", "CANCELED"),
        "d": ("ContinueAsNewWorkflowExecution", "CONTINUED_AS_NEW"),
    }
    for id, (kind, _) in ends.items():
        await swf.start(id)
        await swf.decide(await swf.task(), decision(kind))
    await swf.start("e")
    await swf.terminate("e")
    statuses = {id: status for id, (_, status) in ends.items()} | {"e": "TERMINATED"}
    for id, status in statuses.items():
        wanted = {"closeStatusFilter": {"status": status}}
        for times in ("startTimeFilter", "closeTimeFilter"):
            found = await _ids(swf, "Closed", **wanted, **{times: _SINCE})
            assert id in found
            assert swf.backend.newer or found == [id]
    none = {"closeStatusFilter": {"status": "TIMED_OUT"}}
    if swf.backend.fresh:
        assert await _ids(swf, "Closed", **none, startTimeFilter=_SINCE) == []
    open_now = await _ids(swf, "Open", startTimeFilter=_SINCE)
    assert "d" in open_now
    await swf.terminate("d")


@scenario(moto=_MOTO)
async def lists_tell_what_descriptions_tell(swf: Swf) -> None:
    """Section 7."""
    run = await swf.start(tagList=[swf.id("t")])
    only = {"executionFilter": {"workflowId": run["workflowId"]}}
    asked = {"startTimeFilter": _SINCE} | only
    for kind in ("Open", "Closed"):
        page = await swf.call(f"List{kind}WorkflowExecutions", **asked)
        info = (await swf.describe(run))["executionInfo"]
        assert page["executionInfos"] == [info]
        if kind == "Open":
            await swf.terminate()


@scenario(typed=False, moto=_MOTO)
async def a_list_has_one_time_filter_and_at_most_one_other(swf: Swf) -> None:
    """Section 1.4 [moto, text unverified]."""
    invalid = "ValidationException"
    both = {"startTimeFilter": _SINCE, "closeTimeFilter": _SINCE}
    filters: dict[str, Any] = {
        "executionFilter": {"workflowId": "w"},
        "typeFilter": {"name": "n"},
        "tagFilter": {"tag": "t"},
    }
    pair = dict(list(filters.items())[:2])
    exclusive = "Cannot specify more than one exclusive filters in the same query"
    for verb in ("List", "Count"):
        closed = f"{verb}ClosedWorkflowExecutions"
        await swf.refuses(invalid, "Must specify time filter", closed)
        text = "Cannot specify both a startTimeFilter and a closeTimeFilter"
        await swf.refuses(invalid, text, closed, **both)
        since = {"startTimeFilter": _SINCE}
        ended = {"closeStatusFilter": {"status": "FAILED"}}
        two = filters | ended
        named = "executionFilter, typeFilter, tagFilter, closeStatusFilter"
        await swf.refuses(invalid, f"{exclusive}: [{named}]", closed, **since, **two)
        opened = f"{verb}OpenWorkflowExecutions"
        named = "executionFilter, typeFilter"
        await swf.refuses(invalid, f"{exclusive}: [{named}]", opened, **since, **pair)
        null = "Value null at 'startTimeFilter' failed to satisfy constraint"
        text = f"1 validation error detected: {null}: Member must not be null"
        await swf.refuses(invalid, text, opened)


@scenario(moto="10.1: no paging anywhere")
async def page_tokens_of_executions_are_for_one_query(swf: Swf) -> None:
    for id in "ab":
        await swf.start(id)
    since = {"startTimeFilter": _SINCE}
    operation = "ListOpenWorkflowExecutions"
    tag = {"tagFilter": {"tag": "t"}}
    page = await swf.call(operation, **since, maximumPageSize=1)
    token = {"nextPageToken": page["nextPageToken"]}
    invalid = "ValidationException", "Invalid token"
    await swf.refuses(*invalid, operation, **since, **token, **tag)
    await swf.refuses(*invalid, operation, **since, **token, reverseOrder=True)
    later = {"startTimeFilter": {"oldestDate": 1}}
    await swf.refuses(*invalid, operation, **later, **token)
    closed = "ListClosedWorkflowExecutions"
    await swf.refuses(*invalid, closed, **since, **token)
    await swf.call(operation, **since, **token)


@scenario(quotas=Quotas(count=2))
async def counts_stop_somewhere(swf: Swf) -> None:
    """Section 7 [docs]: then they are truncated."""
    count = "CountOpenWorkflowExecutions"
    for number, truncated in ((1, False), (2, False), (3, True)):
        await swf.start(str(number))
        answer = await swf.call(count, startTimeFilter=_SINCE)
        assert answer == {"count": min(number, 2), "truncated": truncated}


@scenario(clock=True)
async def closed_runs_are_kept_for_the_days_of_their_domain(swf: Swf) -> None:
    """Sections 1.7 and 7 [model]: then nobody knows them."""
    run = await swf.start(executionStartToCloseTimeout="1000000")
    await swf.decide(await swf.task(), swf.paying())
    work = await swf.work()
    kept = await swf.start("kept", executionStartToCloseTimeout="1000000")
    await swf.terminate()
    await swf.skip(86_400 - 0.001)
    await swf.describe(run)
    await swf.history(run)
    await swf.skip(0.001)
    named = f"workflowId={run['workflowId']}, runId={run['runId']}"
    unknown = f"Unknown execution: WorkflowExecution=[{named}]"
    for operation in ("DescribeWorkflowExecution", "GetWorkflowExecutionHistory"):
        await swf.refuses("UnknownResourceFault", unknown, operation, execution=run)
    await swf.refuses(
        "UnknownResourceFault",
        "Unknown activity, scheduledEventId = 5",
        "RespondActivityTaskCompleted",
        taskToken=work["taskToken"],
    )
    assert await _ids(swf, "Closed", startTimeFilter=_SINCE) == []
    await swf.describe(kept)


@scenario(clock=True)
async def a_domain_may_keep_no_closed_runs(swf: Swf) -> None:
    """Section 1.7 [model]: NONE and 0 days."""
    for days in ("NONE", "0"):
        domain = {"domain": f"keeps {days}"}
        await swf.call(
            "RegisterDomain",
            name=domain["domain"],
            workflowExecutionRetentionPeriodInDays=days,
        )
        await swf.call("RegisterWorkflowType", **domain, **swf.order)
        run = await swf.start(
            **domain,
            executionStartToCloseTimeout="9",
            taskList=swf.deciders,
            taskStartToCloseTimeout="9",
            childPolicy="ABANDON",
        )
        await swf.terminate(**domain)
        await swf.skip(0.001)
        named = f"workflowId={run['workflowId']}, runId={run['runId']}"
        unknown = f"Unknown execution: WorkflowExecution=[{named}]"
        await swf.refuses(
            "UnknownResourceFault",
            unknown,
            "DescribeWorkflowExecution",
            **domain,
            execution=run,
        )

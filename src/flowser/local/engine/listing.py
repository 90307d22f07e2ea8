"""Lists and counts of executions.

Source:
    swf-semantics.md sections 1.4, 1.6 and 7.
"""

import functools
from collections.abc import Callable
from typing import Any

from flowser import requests, shapes
from flowser.local.engine import executions, faults
from flowser.local.engine.archive import Place, Query
from flowser.local.engine.tokens import PageToken
from flowser.local.engine.world import World

_FILTERS = ("execution_filter", "type_filter", "tag_filter", "close_status_filter")


def _times(request: Any) -> tuple[bool, shapes.ExecutionTimeFilter]:
    """Choose the one time filter, and tell whether it is of closing times."""
    started = request.start_time_filter
    closed = getattr(request, "close_time_filter", None)
    if started is None and closed is None:
        raise faults.invalid("Must specify time filter")
    if started is not None and closed is not None:
        text = "Cannot specify both a startTimeFilter and a closeTimeFilter"
        raise faults.invalid(text)
    return closed is not None, closed or started


def _query(world: World, request: Any, *, are_open: bool) -> Query:
    domain = world.domain(request.domain)
    by_close, times = _times(request)
    given = [name for name in _FILTERS if getattr(request, name, None) is not None]
    if len(given) > 1:
        names = ", ".join(_camel(name) for name in given)
        text = "Cannot specify more than one exclusive filters in the same query"
        raise faults.invalid(f"{text}: [{names}]")
    latest = times.latest_date
    return Query(
        region=domain.region,
        domain=domain.name,
        open=are_open,
        by_close=by_close,
        oldest=_milliseconds(times.oldest_date),
        latest=None if latest is None else _milliseconds(latest),
        **_narrowed(request),
    )


def _milliseconds(seconds: float) -> int:
    # Far beyond what a store can compare, and beyond any run.
    return round(max(-(2**40), min(2**40, seconds)) * 1000)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _narrowed(request: Any) -> dict[str, str | None]:
    if request.execution_filter is not None:
        return {"workflow_id": request.execution_filter.workflow_id}
    if request.type_filter is not None:
        type = request.type_filter
        return {"type_name": type.name, "type_version": type.version or None}
    if request.tag_filter is not None:
        return {"tag": request.tag_filter.tag}
    status = getattr(request, "close_status_filter", None)
    return {"close_status": status.status} if status is not None else {}


def _list(world: World, request: Any, *, are_open: bool) -> dict[str, Any]:
    query = _query(world, request, are_open=are_open)
    ascending = bool(request.reverse_order)
    scope = f"list:{query}:{ascending}"
    after = None
    if request.next_page_token:
        oldest = world.now - world.quotas.page_token * 1000
        at, run = world.tokens.read_page(request.next_page_token, scope, oldest)
        after = Place(int(at), int(run))
    most = min(
        request.maximum_page_size or world.quotas.page_size, world.quotas.page_size
    )
    places = world.archive.places(
        query, after=after, limit=most + 1, ascending=ascending
    )
    shown = places[:most]
    answer: dict[str, Any] = {"executionInfos": _infos(world, query, shown)}
    if len(places) > most:
        answer["nextPageToken"] = world.tokens.page(
            PageToken(scope, world.now, tuple(shown[-1]))
        )
    return answer


def _infos(world: World, query: Query, places: list[Place]) -> list[dict[str, Any]]:
    """Describe the runs at these places.

    The archive does not know yet what this call has closed: such runs are left out of
    both lists. Lists of SWF's are no fresher (section 7).
    """
    found = [world.summary(place.run) for place in places]
    return [
        executions.info(summary)
        for summary in found
        if summary is not None and query.open == (summary.closed_at is None)
    ]


def _count(world: World, request: Any, *, are_open: bool) -> dict[str, Any]:
    query = _query(world, request, are_open=are_open)
    most = world.quotas.count
    found = world.archive.count(query, most)
    return {"count": min(found, most), "truncated": found > most}


OPERATIONS: dict[type[requests.Request[Any]], Callable[[World, Any], Any]] = {
    requests.ListOpenWorkflowExecutions: functools.partial(_list, are_open=True),
    requests.ListClosedWorkflowExecutions: functools.partial(_list, are_open=False),
    requests.CountOpenWorkflowExecutions: functools.partial(_count, are_open=True),
    requests.CountClosedWorkflowExecutions: functools.partial(_count, are_open=False),
}

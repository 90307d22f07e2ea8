"""Looking for executions: listing and counting, open and closed.

Source:
    swf-semantics.md section 7.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from flowser import requests, results, shapes
from flowser._settings import class_of
from flowser.calling import ALWAYS, Calling
from flowser.exceptions import InvalidArgument
from flowser.types import AnyWorkflow

R = TypeVar("R", bound=shapes.Shape)

#: A type: a workflow, or a name, or a name and a version.
TypeFilter = AnyWorkflow | str | shapes.WorkflowType


async def pages(
    call: Callable[[requests.Request[R]], Awaitable[R]], request: requests.Request[R]
) -> AsyncIterator[R]:
    """Give the pages of a listing, each asked for when it is needed.

    Args:
        call: Sends a request: a domain's ``call``, say.
        request: The listing, as its first page is asked for.
    """
    while True:
        page = await call(request)
        yield page
        token = getattr(page, "next_page_token", None)
        if not token:
            return
        request = msgspec.structs.replace(request, next_page_token=token)


class Visibility(Calling):
    """What a domain can tell of its executions.

    Lists are async iterators, newest first, whose pages are read when needed. At most
    one of type, tag, workflow_id and status can be given: SWF takes no more.
    """

    async def open_executions(
        self,
        type: TypeFilter | None = None,
        *,
        tag: str | None = None,
        workflow_id: str | None = None,
        started_after: datetime | None = None,
        started_before: datetime | None = None,
        reverse: bool = False,
        page_size: int = 0,
    ) -> AsyncIterator[results.WorkflowExecutionInfo]:
        """List open executions, the latest start first.

        Args:
            type: Only those of a workflow class (by its ``default_filter_tag``, if it
                has one), of a name, or of a name and version.
            tag: Only those that were started with this tag.
            workflow_id: Only those of this id.
            started_after: Only those started at or after this time.
            started_before: Only those started at or before it.
            reverse: Whether the earliest comes first.
            page_size: Executions in a page, at most 1,000; 0 leaves it to SWF.

        Raises:
            InvalidArgument: When filters contradict one another.
        """
        request = requests.ListOpenWorkflowExecutions(
            domain=self.name,
            start_time_filter=_span("started", started_after, started_before),
            maximum_page_size=page_size or None,
            reverse_order=reverse or None,
            **_filters(type, tag, workflow_id),
        )
        async for page in pages(self.call, request):
            for info in page.execution_infos:
                yield info

    async def count_open_executions(
        self,
        type: TypeFilter | None = None,
        *,
        tag: str | None = None,
        workflow_id: str | None = None,
        started_after: datetime | None = None,
        started_before: datetime | None = None,
    ) -> results.WorkflowExecutionCount:
        """Count open executions; arguments are those of :meth:`open_executions`.

        Returns:
            The count, a lower bound when it is ``truncated``.
        """
        return await self.call(
            requests.CountOpenWorkflowExecutions(
                domain=self.name,
                start_time_filter=_span("started", started_after, started_before),
                **_filters(type, tag, workflow_id),
            )
        )

    async def closed_executions(
        self,
        type: TypeFilter | None = None,
        *,
        tag: str | None = None,
        workflow_id: str | None = None,
        status: shapes.CloseStatus | str | None = None,
        started_after: datetime | None = None,
        started_before: datetime | None = None,
        closed_after: datetime | None = None,
        closed_before: datetime | None = None,
        reverse: bool = False,
        page_size: int = 0,
    ) -> AsyncIterator[results.WorkflowExecutionInfo]:
        """List closed executions, within their retention.

        The latest start comes first, or the latest close when close times are given.

        Args:
            type: Only those of a workflow class (by its ``default_filter_tag``, if it
                has one), of a name, or of a name and version.
            tag: Only those that were started with this tag.
            workflow_id: Only those of this id.
            status: Only those that closed so: COMPLETED, FAILED, CANCELED, TERMINATED,
                CONTINUED_AS_NEW or TIMED_OUT.
            started_after: Only those started at or after this time.
            started_before: Only those started at or before it.
            closed_after: Only those closed at or after this time; excludes the two
                above.
            closed_before: Only those closed at or before it.
            reverse: Whether the earliest comes first.
            page_size: Executions in a page, at most 1,000; 0 leaves it to SWF.

        Raises:
            InvalidArgument: When filters contradict one another.
        """
        request = requests.ListClosedWorkflowExecutions(
            domain=self.name,
            maximum_page_size=page_size or None,
            reverse_order=reverse or None,
            **_spans(started_after, started_before, closed_after, closed_before),
            **_filters(type, tag, workflow_id, status),
        )
        async for page in pages(self.call, request):
            for info in page.execution_infos:
                yield info

    async def count_closed_executions(
        self,
        type: TypeFilter | None = None,
        *,
        tag: str | None = None,
        workflow_id: str | None = None,
        status: shapes.CloseStatus | str | None = None,
        started_after: datetime | None = None,
        started_before: datetime | None = None,
        closed_after: datetime | None = None,
        closed_before: datetime | None = None,
    ) -> results.WorkflowExecutionCount:
        """Count closed executions; arguments are those of :meth:`closed_executions`.

        Returns:
            The count, a lower bound when it is ``truncated``.
        """
        return await self.call(
            requests.CountClosedWorkflowExecutions(
                domain=self.name,
                **_spans(started_after, started_before, closed_after, closed_before),
                **_filters(type, tag, workflow_id, status),
            )
        )

    async def count_pending_activities(
        self, task_list: str
    ) -> results.PendingTaskCount:
        """Estimate how many activity tasks wait on a list.

        Returns:
            The count, a lower bound when it is ``truncated``; 0 for an unknown list.
        """
        where = shapes.TaskList(name=task_list)
        return await self.call(
            requests.CountPendingActivityTasks(domain=self.name, task_list=where)
        )

    async def count_pending_decisions(self, task_list: str) -> results.PendingTaskCount:
        """Estimate how many decision tasks wait on a list.

        Returns:
            The count, a lower bound when it is ``truncated``; 0 for an unknown list.
        """
        where = shapes.TaskList(name=task_list)
        return await self.call(
            requests.CountPendingDecisionTasks(domain=self.name, task_list=where)
        )


def _filters(
    type: TypeFilter | None,
    tag: str | None,
    workflow_id: str | None,
    status: shapes.CloseStatus | str | None = None,
) -> dict[str, Any]:
    """Make the one filter that SWF takes beside a time (semantics 7)."""
    given = {"type": type, "tag": tag, "workflow_id": workflow_id, "status": status}
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        problem = f"cannot be combined with {names[0]}"
        raise InvalidArgument(names[1], problem, "filter by one, sift by the other")
    if isinstance(type, str):
        return {"type_filter": shapes.WorkflowTypeFilter(name=type)}
    if type is not None:
        kind = type if isinstance(type, shapes.WorkflowType) else class_of(type)
        tag = getattr(kind, "default_filter_tag", None)
        if tag is None:
            named = shapes.WorkflowTypeFilter(name=kind.name, version=kind.version)
            return {"type_filter": named}
    if tag is not None:
        return {"tag_filter": shapes.TagFilter(tag=tag)}
    if workflow_id is not None:
        by_id = shapes.WorkflowExecutionFilter(workflow_id=workflow_id)
        return {"execution_filter": by_id}
    if status is not None:
        return {"close_status_filter": shapes.CloseStatusFilter(status=_status(status))}
    return {}


def _status(status: shapes.CloseStatus | str) -> shapes.CloseStatus:
    try:
        return shapes.CloseStatus(status)
    except ValueError:
        remedy = f"choose one of {', '.join(shapes.CloseStatus)}"
        raise InvalidArgument("status", f"is {status!r}", remedy) from None


def _spans(
    started_after: datetime | None,
    started_before: datetime | None,
    closed_after: datetime | None,
    closed_before: datetime | None,
) -> dict[str, Any]:
    """Make the one time filter that closed executions are listed by."""
    if closed_after is None and closed_before is None:
        span = _span("started", started_after, started_before)
        return {"start_time_filter": span}
    for name, given in (
        ("started_after", started_after),
        ("started_before", started_before),
    ):
        if given is not None:
            problem = "cannot be combined with close times"
            raise InvalidArgument(name, problem, "filter by one of the two")
    return {"close_time_filter": _span("closed", closed_after, closed_before)}


def _span(
    what: str, oldest: datetime | None, latest: datetime | None
) -> shapes.ExecutionTimeFilter:
    for argument, given in ((f"{what}_after", oldest), (f"{what}_before", latest)):
        if given is None:
            continue
        if not isinstance(given, datetime):
            raise InvalidArgument(argument, f"is {given!r}", "pass a datetime")
        if given.tzinfo is None:
            remedy = "pass a datetime with a time zone, such as datetime.UTC"
            raise InvalidArgument(argument, "has no time zone", remedy)
    return shapes.ExecutionTimeFilter(
        oldest_date=oldest.timestamp() if oldest else ALWAYS.oldest_date,
        latest_date=latest.timestamp() if latest else None,
    )

"""What a domain is to those who do something in its name.

Source:
    DESIGN section 2.
"""

from typing import Any, Protocol, TypeVar

from flowser import requests, serializing, shapes, wire
from flowser.exceptions import UnknownResourceFault

R = TypeVar("R", bound=shapes.Shape)

#: Every execution is younger than this.
ALWAYS = shapes.ExecutionTimeFilter(oldest_date=0.0)


class DomainLike(Protocol):
    """What types, tasks and executions need of a domain."""

    @property
    def name(self) -> str:
        """The domain's name."""
        ...

    @property
    def serializer(self) -> serializing.Serializer:
        """Writes and reads the payloads of the domain."""
        ...

    async def call(self, request: requests.Request[R], /) -> R:
        """Send a request to SWF."""
        ...

    def type_of(self, named: shapes.ActivityType | shapes.WorkflowType, /) -> Any:
        """Give an instance of the type of this name and version, or None."""
        ...


class Calling:
    """A name, and a wire over which calls are made in it.

    Attributes:
        name: The domain's name, 1 to 256 characters.
        wire: Carries the calls.
    """

    name: str
    wire: wire.Wire

    async def call(self, request: requests.Request[R], /) -> R:
        """Send a request of :mod:`flowser.requests` to SWF.

        Raises:
            InvalidArgument: When SWF would refuse it.
            ServiceError: When SWF answered with an error.
            ConnectionFailed: When the request did not reach SWF.
            ResponseLost: When it may have, and no whole answer came back.
        """
        return await wire.send(self.wire, request)


async def latest_run(domain: DomainLike, workflow_id: str) -> str:
    """Find the run id of the open execution of an id, else of the latest closed one.

    Raises:
        UnknownResourceFault: When there is none.
    """
    by_id = shapes.WorkflowExecutionFilter(workflow_id=workflow_id)
    for listing in (
        requests.ListOpenWorkflowExecutions(
            domain=domain.name, start_time_filter=ALWAYS, execution_filter=by_id
        ),
        requests.ListClosedWorkflowExecutions(
            domain=domain.name, start_time_filter=ALWAYS, execution_filter=by_id
        ),
    ):
        page = await domain.call(listing)
        # Emulators ignore the filter (semantics 10.2).
        runs = [info.execution for info in page.execution_infos]
        for run in runs:
            if run.workflow_id == workflow_id:
                return run.run_id
    raise UnknownResourceFault(
        "ListClosedWorkflowExecutions",
        "UnknownResourceFault",
        f"Unknown execution, workflowId = {workflow_id}",
    )

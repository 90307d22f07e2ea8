"""Signals and cancel requests for other executions; Lambda functions.

Source:
    swf-semantics.md sections 3.2, 6.1 and 6.2.
"""

from typing import Any, Generic, NamedTuple, TypeVar, overload

from flowser import decisions, serializing
from flowser._flow.current import Called, needed
from flowser._flow.payloads import reader
from flowser.limits import Duration, duration
from flowser.replay import outgoing
from flowser.replay.commands import checked
from flowser.replay.operations import Function, Plan
from flowser.replay.outgoing import Child, External

R = TypeVar("R")


class Execution(NamedTuple):
    """Another execution of the domain; see :func:`external`.

    Attributes:
        workflow_id: Its workflow id.
        run_id: Its run; None is whatever run is open.
    """

    workflow_id: str
    run_id: str | None = None

    def signal(self, name: str, input: Any = None) -> External:
        """Send it a signal; the future that is returned may be awaited.

        Args:
            name: Of the signal.
            input: Any object that the domain's serializer can write; None for none.

        Raises:
            ExternalFailed: At the await, when there is no such open execution.
        """
        run = needed("execution.signal()")
        return outgoing.send_signal(run, self, name, input)

    def request_cancel(self) -> External:
        """Ask it to cancel itself; the future that is returned may be awaited.

        Raises:
            ExternalFailed: At the await, when there is no such open execution.
        """
        run = needed("execution.request_cancel()")
        return outgoing.ask_to_cancel(run, self)


def external(workflow: "str | Child[Any]", run_id: str | None = None) -> Execution:
    """Name another execution of the domain, to signal it or to ask it to cancel.

    Args:
        workflow: Its workflow id, or the handle of a child.
        run_id: Its run; None is whatever run is open, also after continue-as-new.
    """
    if isinstance(workflow, Child):
        return Execution(workflow.workflow_id, run_id)
    return Execution(workflow, run_id)


class LambdaFunction(Generic[R]):
    """A Lambda function; see :func:`lambda_function`."""

    def __init__(self, plan: Plan) -> None:
        """Describe it."""
        self._plan = plan

    def __call__(self, input: Any = None) -> Called[R]:
        """Have it invoked, and wait for its result.

        Raises:
            FunctionFailed: When it failed, or could not be invoked.
            FunctionTimedOut: When it ran for too long.
        """
        return self._invoked(input)

    async def _invoked(self, input: Any) -> R:
        result: R = await self.start(input)
        return result

    def start(self, input: Any = None) -> Function[R]:
        """Have it invoked, and give a handle: a future of its result."""
        run = needed(f"{self._plan.name}.start()")
        operation: Function[R] = run.begin(Function, self._plan, input)
        return operation


@overload
def lambda_function(
    name: str, *, result: type[R], timeout: Duration | None = None
) -> LambdaFunction[R]: ...
@overload
def lambda_function(
    name: str, *, result: Any = Any, timeout: Duration | None = None
) -> LambdaFunction[Any]: ...
def lambda_function(
    name: str, *, result: Any = Any, timeout: Duration | None = None
) -> LambdaFunction[Any]:
    """Describe a Lambda function that workflow code can call.

    Args:
        name: The function's name, at most 64 characters.
        result: What its result is read as.
        timeout: 1 to 900 seconds; None is 900.

    Raises:
        InvalidArgument: When it cannot be a name or a time-out, or JSON cannot be of
            the type.
    """
    limit = duration(timeout, "timeout")

    def make(id: str, input: Any, _: str | None) -> decisions.Decision:
        text = None if input is None else serializing.JSON.dumps(input)
        request = decisions.ScheduleLambdaFunction(
            id=id, name=name, input=text, start_to_close_timeout=limit
        )
        return checked(request, name)

    make("1", None, None)  # which refuses what cannot be
    loads = reader(result, what=f"the result of {name}")
    return LambdaFunction(Plan(name, make, loads, "abandon"))

"""The verbs of workflow code that wait for nobody: time, chance, notes.

Source:
    dx.md sections 1.1 and 1.2.
"""

import inspect
import random as chance
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple, ParamSpec, TypeVar, overload

from flowser import limits, serializing, shapes
from flowser._flow.current import needed
from flowser._flow.payloads import reader, returned_by
from flowser.exceptions import InvalidArgument
from flowser.replay import formats
from flowser.replay.commands import Marker
from flowser.replay.stacks import here
from flowser.replay.steps import Step

P = ParamSpec("P")
R = TypeVar("R")

#: Events after which a run should be continued as a new one. SWF ends it at 25,000.
_LONG = 20_000


class Info(NamedTuple):
    """What a run knows of itself.

    Attributes:
        workflow_id: Of the execution.
        run_id: Of the run.
        workflow_type: Its name and version.
        task_list: Where its decision tasks wait.
        tags: Of the execution.
        parent: The run that started it as a child, or None.
        continued_from: The run that it continues, or None.
        started_at: When it began, in UTC.
        attempt: How often this decision was begun: 1, or more when others timed out.
        history_length: The number of events that this decision sees.
        should_continue_as_new: Whether the history becomes too long for SWF.
        cancel_requested: Whether somebody asked it to cancel itself.
        replaying: Whether what runs was decided before. Decide nothing by this.
    """

    workflow_id: str
    run_id: str
    workflow_type: shapes.WorkflowType
    task_list: str
    tags: tuple[str, ...]
    parent: shapes.WorkflowExecution | None
    continued_from: str | None
    started_at: datetime
    attempt: int
    history_length: int
    should_continue_as_new: bool
    cancel_requested: bool
    replaying: bool


def info() -> Info:
    """Tell what the run knows of itself.

    Raises:
        NotInWorkflow: When no workflow code is running.
    """
    run = needed("flow.info()")
    started = run.started
    assert started is not None  # noqa: S101 - its code runs
    return Info(
        workflow_id=run.workflow_id,
        run_id=run.run_id,
        workflow_type=started.workflow_type,
        task_list=started.task_list.name,
        tags=tuple(started.tag_list or ()),
        parent=started.parent_workflow_execution,
        continued_from=started.continued_execution_run_id,
        started_at=datetime.fromtimestamp(run.started_at, UTC),
        attempt=run.attempt,
        history_length=run.history_length,
        should_continue_as_new=run.history_length >= _LONG,
        cancel_requested=run.cancel_requested,
        replaying=run.replaying,
    )


def now() -> datetime:
    """Give the time of the current decision, in UTC: the same again in a replay.

    Raises:
        NotInWorkflow: When no workflow code is running.
    """
    return datetime.fromtimestamp(needed("flow.now()").loop.now, UTC)


def random() -> chance.Random:
    """Give the run's random numbers: the same again in a replay, others in other runs.

    Raises:
        NotInWorkflow: When no workflow code is running.
    """
    run = needed("flow.random()")
    known = run.locals.get(random)
    if known is None:
        known = run.locals[random] = chance.Random(run.run_id)
    made: chance.Random = known
    return made


def uuid4() -> uuid.UUID:
    """Make a random UUID: the same again in a replay.

    Raises:
        NotInWorkflow: When no workflow code is running.
    """
    return uuid.UUID(int=random().getrandbits(128), version=4)


def set_status(status: Any) -> None:
    """Let the world see something: it becomes the execution context.

    ``await execution.describe()`` shows it, as JSON, after the current decision.

    Args:
        status: Any object that JSON can write.

    Raises:
        SerializationError: When it cannot be written.
        InvalidArgument: When it has more than 32,768 characters.
        NotInWorkflow: When no workflow code is running.
    """
    run = needed("flow.set_status()")
    text = serializing.JSON.dumps(status)
    limits.check_value(limits.Data, formats.context(text), "status")
    run.status = text


def mark(name: str, details: Any = None) -> None:
    """Leave a note in the history.

    Args:
        name: 1 to 256 characters; need not be unique.
        details: Any object that JSON can write; None for none.

    Raises:
        SerializationError: When it cannot be written.
        InvalidArgument: When name or details are too long.
        NotInWorkflow: When no workflow code is running.
    """
    run = needed("flow.mark()")
    id = run.loop.number()
    value = None if details is None else serializing.JSON.dumps(details)
    note = formats.note(id, kind="mark", value=formats.raw(value))
    run.emit(Marker(f"marker:{id}", name, note))


def patched(id: str) -> bool:
    """Tell whether the run goes the new way of a change that has this name.

    ::

        if flow.patched("check-fraud"):
            await check(order_id)          # runs that come here for the first time
        ...                                # runs that were here before the change

    The answer is given once for a run, and recorded. When no run from before the
    change is open any more, take the old way out, and this call with it.

    Args:
        id: A name for the change, unique in the workflow.

    Raises:
        InvalidArgument: When the name is no text, empty, or has over 256 characters.
        NotInWorkflow: When no workflow code is running.
    """
    run = needed("flow.patched()")
    limits.check_value(limits.Label, id, "id")
    known = run.locals.get((patched, id))
    if known is None:
        known = not run.replaying or run.is_recorded(f"patch:{id}")
        run.locals[patched, id] = known
        if known:
            note = formats.note(id, kind="patch")
            run.emit(Marker(f"patch:{id}", "flowser.patch", note))
    return bool(known)


@overload
async def step(
    function: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs
) -> R: ...
@overload
async def step(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R: ...
async def step(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Do something short in the decider itself, and record what it came to.

    The function runs outside of the workflow, while the decision waits: it may read a
    clock, or call a service. Its result is recorded as a marker, so it runs once; or
    again, when the decision is lost. What takes more than a few seconds, or is to be
    tried again, is an activity.

    Args:
        function: An async function, or a plain one that does not block.
        *args: Its arguments.
        **kwargs: Likewise.

    Returns:
        What it returned, as read from JSON by its annotation.

    Raises:
        StepFailed: When it raised something.
        InvalidArgument: When it is no function, or returns what JSON cannot be.
        NotInWorkflow: When no workflow code is running.
    """
    run = needed("flow.step()")
    if not callable(function):
        if inspect.iscoroutine(function):
            function.close()
        problem = f"is no function, but of type {type(function).__name__}"
        remedy = "pass the function and its arguments: flow.step(fn, 1, key=2)"
        raise InvalidArgument("function", problem, remedy)
    name = getattr(function, "__name__", type(function).__name__)
    work = partial(_work, partial(function, *args, **kwargs))
    loads = reader(returned_by(function), what=f"what {name}() returns")
    step = Step(run, name, work, loads, here(run.loop.current()))
    run.steps[step.id] = step
    return await step


async def _work(call: Callable[[], Any]) -> str:
    found = call()
    result = await found if inspect.isawaitable(found) else found
    return serializing.JSON.dumps(result)

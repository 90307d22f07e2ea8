"""Workflows as functions: a description, and what calling it does.

Source:
    DESIGN sections 1 and 3; issue 4 section 1.
"""

from collections.abc import Callable, Coroutine
from typing import (
    Any,
    Generic,
    NoReturn,
    ParamSpec,
    Protocol,
    TypeVar,
    Unpack,
    overload,
)

from flowser import types
from flowser._flow.activities import Runs
from flowser._flow.current import Called, current, needed
from flowser._flow.declaring import Declared, declared
from flowser._flow.options import (
    ChildOptions,
    WorkflowDefaults,
    check_settings,
    checked,
)
from flowser._flow.planning import Planning, call
from flowser.decisions import (
    ContinueAsNewWorkflowExecution,
    Decision,
    StartChildWorkflowExecution,
)
from flowser.replay import formats
from flowser.replay.closing import ContinueAsNew
from flowser.replay.commands import checked as _checked
from flowser.replay.operations import Cancellation
from flowser.replay.outgoing import Child
from flowser.replay.state import State

P = ParamSpec("P")
R = TypeVar("R")
I = TypeVar("I")  # noqa: E741 - input
O = TypeVar("O")  # noqa: E741 - output

#: Seconds that a run may be open: all that SWF allows (swf-semantics.md section 5).
#: The ten minutes of the classes of 2012 would end whoever sleeps for a day.
_OPEN = 31_536_000

#: Options that are none of ``start_child``.
_OURS = ("id", "label", "cancellation")


class Workflow(Planning, Generic[P, R]):
    """A workflow that can be called like the function, or class, it was made of.

    In workflow code a call starts a child, and is awaited; elsewhere it runs the
    function, which is what a unit test wants. ``domain.start(order, order.input(...))``
    starts an execution.

    Attributes:
        type: The class that is registered, and that workers serve.
        function: The function itself.
    """

    def __init__(self, declared: Declared, options: ChildOptions) -> None:
        """Describe it; use :func:`flowser.flow.workflow`."""
        self.type: type[types.Workflow] = declared.kind
        self.function = declared.function
        self._declared = declared
        self._options = checked(options, ChildOptions, self.type.name)
        made = StartChildWorkflowExecution(
            workflow_type=self.type.workflow_type(),
            workflow_id="1",
            **self.type.run_options(**self._run_options()),
        )
        _checked(made, self.type.name)

    def __repr__(self) -> str:
        return f"<workflow {self.type.name!r} {self.type.version!r}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Called[R]:
        """Start a child, and wait for its result; in no workflow, run it.

        Raises:
            ChildFailed: When it failed.
            ChildTimedOut: When it was open for too long.
            ChildCanceled: When somebody else canceled it.
            ChildTerminated: When it was terminated.
            DecisionFailed: When SWF refused to start it.
        """
        run = current()
        if run is None:
            plainly: Coroutine[Any, Any, R] = self.function(*args, **kwargs)
            return plainly
        return call(run, (Child, self._plan, (args, kwargs)))

    def start(self, *args: P.args, **kwargs: P.kwargs) -> Child[R]:
        """Start a child, and give a handle: a future of its result.

        ``handle.started`` is a future of its run id; ``handle.signal(name, input)``
        sends it a signal, ``handle.request_cancel()`` asks it to cancel itself.

        Raises:
            NotInWorkflow: When no workflow code is running.
        """
        run = needed(f"{self.type.name}.start()")
        child: Child[R] = run.begin(Child, self._plan, (args, kwargs))
        return child

    def with_(self, **options: Unpack[ChildOptions]) -> "Workflow[P, R]":
        """Give a copy that has other options.

        Args:
            **options: Those of :class:`ChildOptions`: ``id`` (its workflow id),
                ``label``, ``cancellation``, and those of ``types.Workflow.start``.
        """
        merged: Any = self._options | options
        return Workflow(self._declared, merged)

    def input(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Give the input of an execution from arguments: what ``start`` takes."""
        return self._declared.bind(args, kwargs)

    def continue_as_new(self, *args: P.args, **kwargs: P.kwargs) -> NoReturn:
        """Close the run, and begin a new one of the same workflow id.

        The new run has the options that the old one was started with (its tags, task
        list, time-outs ...), unless :meth:`with_` says otherwise.

        Raises:
            ContinueAsNew: Always; let it leave the main task.
            NotInWorkflow: When no workflow code is running.
        """
        run = needed(f"{self.type.name}.continue_as_new()")
        kind = self.type
        given = {k: v for k, v in self._run_options().items() if v is not None}
        decision = ContinueAsNewWorkflowExecution(
            input=kind.dump(self._declared.bind(args, kwargs)),
            workflow_type_version=kind.version,
            **kind.run_options(**_options_of(run) | given),
        )
        _checked(decision, kind.name)
        raise ContinueAsNew(decision)

    def _decision(self, id: str, arguments: Any, _: str | None) -> Decision:
        number, (args, kwargs) = arguments
        request = self.type.start_child(
            self._declared.bind(args, kwargs),
            formats.note(number, label=self._options.get("label")),
            workflow_id=id,
            **self._run_options(),
        )
        return _checked(request, self.type.name)

    def _run_options(self) -> Any:
        return {k: v for k, v in self._options.items() if k not in _OURS}


def _options_of(run: State) -> Any:
    """Give the options that a run was started with; SWF would forget them."""
    started = run.started
    assert started is not None  # noqa: S101 - its code runs
    return {
        "child_policy": started.child_policy,
        "execution_start_to_close_timeout": started.execution_start_to_close_timeout,
        "lambda_role": started.lambda_role,
        "tag_list": started.tag_list or (),
        "task_list": started.task_list.name,
        "task_priority": started.task_priority,
        "task_start_to_close_timeout": started.task_start_to_close_timeout,
    }


def continue_as_new(*args: Any, **kwargs: Any) -> NoReturn:
    """Close the run, and begin a new one of the same workflow, with other arguments.

    What a decorator made says so with its parameters' types:
    ``order.continue_as_new(page=2)``; see :meth:`Workflow.continue_as_new`.

    Raises:
        ContinueAsNew: Always; let it leave the main task.
        NotInWorkflow: When no workflow code is running.
    """
    program: Any = needed("flow.continue_as_new()").program
    same: Workflow[..., Any] = workflow(program.kind)
    same.continue_as_new(*args, **kwargs)


class Decorator(Protocol):
    """Makes a workflow of a function, or of a class with ``run``."""

    @overload
    def __call__(
        self, made_of: Callable[P, Coroutine[Any, Any, R]], /
    ) -> Workflow[P, R]: ...
    @overload
    def __call__(self, made_of: type[Runs[I, O]], /) -> Workflow[[I], O]: ...


@overload
def workflow(made_of: type[Runs[I, O]], /) -> Workflow[[I], O]: ...
@overload
def workflow(
    *,
    version: str,
    task_list: str,
    name: str | None = None,
    cancellation: Cancellation = "request",
    **defaults: Unpack[WorkflowDefaults],
) -> Decorator: ...
def workflow(
    made_of: Any = None,
    /,
    *,
    name: str | None = None,
    cancellation: Cancellation = "request",
    **settings: Any,
) -> Any:
    """Make a workflow of a function: ``@flow.workflow(version=..., task_list=...)``.

    Its input is the JSON object of its parameters. A class with ``run(self, input)``
    can be decorated too; of a class of :class:`flowser.types.Workflow`, which says all
    of itself, ``flow.workflow(T)`` gives what can be called. mypy takes what decorates
    a class for the class itself: there, write ``made = flow.workflow(...)(Made)``.

    Args:
        made_of: Such a class; nothing for a decorator.
        version: The version of the type, 1 to 64 characters.
        task_list: Where its decision tasks wait.
        name: The name of the type; the function's when not given.
        cancellation: What cancelling a child of it does: ``"request"`` asks it to
            cancel itself and goes on, ``"wait"`` asks and waits until it has ended,
            ``"abandon"`` leaves it.
        **settings: ``description``, ``child_policy``, ``default_tag_list``, the two
            time-outs and others, as :class:`flowser.types.Workflow` has them; but
            ``execution_start_to_close_timeout`` is a year.

    Raises:
        InvalidArgument: When something of it cannot be.
    """
    if name is not None:
        settings["name"] = name
    check_settings(settings, WorkflowDefaults, "a workflow")
    options: ChildOptions = {"cancellation": cancellation}
    if made_of is None:
        settings.setdefault("execution_start_to_close_timeout", _OPEN)

    def decorate(given: Any) -> Workflow[..., Any]:
        return Workflow(declared(given, types.Workflow, dict(settings)), options)

    return decorate if made_of is None else decorate(made_of)

"""Activities as functions: a description, and what calling it does.

Source:
    DESIGN sections 1 and 3; issue 4 section 1.
"""

import inspect
from collections.abc import Callable, Coroutine
from functools import cached_property
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, Unpack, overload

from msgspec.structs import replace

from flowser import types
from flowser._flow.current import Called, current, needed
from flowser._flow.declaring import Declared, declared
from flowser._flow.options import (
    ActivityDefaults,
    ActivityOptions,
    check_settings,
    checked,
)
from flowser._flow.planning import Planning, call
from flowser.decisions import Decision, ScheduleActivityTask
from flowser.exceptions import InvalidArgument
from flowser.replay import formats
from flowser.replay.activities import Activity as Operation
from flowser.replay.commands import checked as _checked
from flowser.replay.matching import is_number
from flowser.replay.operations import Cancellation
from flowser.replay.retrying import Retry

P = ParamSpec("P")
R = TypeVar("R")
I = TypeVar("I")  # noqa: E741 - input
O = TypeVar("O")  # noqa: E741 - output
I_contra = TypeVar("I_contra", contravariant=True)
O_co = TypeVar("O_co", covariant=True)

#: Options that are none of ``schedule``.
_OURS = ("id", "label", "cancellation", "retry")


class Activity(Planning, Generic[P, R]):
    """An activity that can be called like the function, or class, it was made of.

    In workflow code a call schedules it, and is awaited; elsewhere it runs the
    function, which is what a unit test wants.

    Attributes:
        type: The class that is registered, and that workers serve.
        function: The function itself.
    """

    def __init__(
        self,
        declared: Declared,
        options: ActivityOptions,
    ) -> None:
        """Describe it; use :func:`flowser.flow.activity`."""
        self.type: type[types.Activity] = declared.kind
        self.function = declared.function
        self._declared = declared
        self._options = checked(options, ActivityOptions, self.type.name)
        _check_id(self.type.name, self._options.get("id"))
        if not self._wrapped:
            _ = self._base  # which is checked

    def __repr__(self) -> str:
        return f"<activity {self.type.name!r} {self.type.version!r}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Called[R]:
        """Schedule it, and wait for its result; in no workflow, run it.

        Raises:
            ActivityFailed: When it failed, after its last attempt.
            ActivityTimedOut: When a clock ran out, likewise.
            ActivityCanceled: When somebody else canceled it.
            DecisionFailed: When SWF refused to schedule it.
        """
        run = current()
        if run is None:
            return self._plainly(args, kwargs)
        return call(run, (Operation, self._plan, (args, kwargs)))

    async def _plainly(self, args: Any, kwargs: Any) -> R:
        found = self.function(*args, **kwargs)
        result: R = await found if inspect.isawaitable(found) else found
        return result

    def start(self, *args: P.args, **kwargs: P.kwargs) -> Operation[R]:
        """Schedule it, and give a handle: a future of its result.

        Raises:
            NotInWorkflow: When no workflow code is running.
        """
        run = needed(f"{self.type.name}.start()")
        operation: Operation[R] = run.begin(Operation, self._plan, (args, kwargs))
        return operation

    def with_(self, **options: Unpack[ActivityOptions]) -> "Activity[P, R]":
        """Give a copy that has other options.

        Args:
            **options: Those of :class:`ActivityOptions`: ``id`` (in SWF, instead of the
                number), ``label`` (a note in ``control``), ``cancellation``, ``retry``,
                ``task_list``, ``task_priority`` and the four time-outs.
        """
        merged: Any = self._options | options
        return Activity(self._declared, merged)

    def _decision(self, id: str, arguments: Any, input: str | None) -> Decision:
        if self._wrapped:
            made = self._schedule(self._declared.bind(*arguments), id)
            made = made if input is None else replace(made, input=input)
            return _checked(made, self.type.name)
        if input is None:
            input = self.type.dump(self._declared.bind(*arguments))
        made = replace(self._base, activity_id=id, input=input)
        if len(id) > _ID or (input is not None and len(input) > _INPUT):
            _checked(made, self.type.name)  # which says so
        return made

    @cached_property
    def _wrapped(self) -> bool:
        """Whether its class makes the decision in its own way, from every input."""
        own: Any = self.type.schedule
        return own.__func__ is not _SCHEDULE

    @cached_property
    def _base(self) -> ScheduleActivityTask:
        """What is the same in every decision, checked once."""
        made = self._schedule(None, self._options.get("id") or "1")
        _checked(made, self.type.name)
        return made

    def _schedule(self, given: Any, id: str) -> ScheduleActivityTask:
        own: Any = {k: v for k, v in self._options.items() if k not in _OURS}
        label = self._options.get("label")
        control = None if label is None else formats.note("", label=label)
        return self.type.schedule(given, control, activity_id=id, **own)


def _check_id(name: str, id: str | None) -> None:
    """Refuse an id that other activities of a run get by their number.

    Raises:
        InvalidArgument: With the remedy.
    """
    if id is not None and is_number(id):
        problem = f"is {id!r}, as activities are numbered"
        raise InvalidArgument(f"{name}.id", problem, f'put a word first: "order {id}"')


_SCHEDULE = types.Activity.schedule.__func__  # type: ignore[attr-defined]

#: Characters of an id and of an input; all else of a decision is checked once.
_ID = 256
_INPUT = 32_768


class Runs(Protocol[I_contra, O_co]):
    """A class with ``async def run``."""

    async def run(self, input: I_contra, /) -> O_co:
        """Do it."""
        ...


class RunsPlainly(Protocol[I_contra, O_co]):
    """A class with a plain ``def run``."""

    def run(self, input: I_contra, /) -> O_co:
        """Do it."""
        ...


class Decorator(Protocol):
    """Makes an activity of a function, or of a class with ``run``."""

    @overload
    def __call__(
        self, made_of: Callable[P, Coroutine[Any, Any, R]], /
    ) -> Activity[P, R]: ...
    @overload
    def __call__(self, made_of: type[Runs[I, O]], /) -> Activity[[I], O]: ...
    @overload
    def __call__(self, made_of: type[RunsPlainly[I, O]], /) -> Activity[[I], O]: ...
    @overload
    def __call__(self, made_of: Callable[P, R], /) -> Activity[P, R]: ...


@overload
def activity(made_of: type[Runs[I, O]], /) -> Activity[[I], O]: ...
@overload
def activity(made_of: type[RunsPlainly[I, O]], /) -> Activity[[I], O]: ...
@overload
def activity(
    *,
    version: str,
    task_list: str,
    name: str | None = None,
    retry: Retry | None = None,
    cancellation: Cancellation = "request",
    **defaults: Unpack[ActivityDefaults],
) -> Decorator: ...
def activity(
    made_of: Any = None,
    /,
    *,
    name: str | None = None,
    retry: Retry | None = None,
    cancellation: Cancellation = "request",
    **settings: Any,
) -> Any:
    """Make an activity of a function: ``@flow.activity(version=..., task_list=...)``.

    Its input is the JSON object of its parameters. A class with ``run(self, input)``
    can be decorated too; of a class of :class:`flowser.types.Activity`, which says all
    of itself, ``flow.activity(T)`` gives what can be called. mypy takes what decorates
    a class for the class itself: there, write ``made = flow.activity(...)(Made)``.

    Args:
        made_of: Such a class; nothing for a decorator.
        version: The version of the type, 1 to 64 characters.
        task_list: Where its tasks wait.
        name: The name of the type; the function's when not given.
        retry: When it is tried again; None never.
        cancellation: What cancelling does: ``"request"`` asks SWF to cancel it and goes
            on, ``"wait"`` asks and waits until it has ended, ``"abandon"`` leaves it.
        **settings: ``description``, ``task_priority`` and the four time-outs, as
            :class:`flowser.types.Activity` has them.

    Raises:
        InvalidArgument: When something of it cannot be.
    """
    if name is not None:
        settings["name"] = name
    check_settings(settings, ActivityDefaults, "an activity")
    options: ActivityOptions = {"retry": retry, "cancellation": cancellation}

    def decorate(given: Any) -> Activity[..., Any]:
        return Activity(declared(given, types.Activity, dict(settings)), options)

    return decorate if made_of is None else decorate(made_of)

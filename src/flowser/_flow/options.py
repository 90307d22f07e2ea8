"""What a call may have otherwise than its description says."""

from typing import Any, TypedDict

from flowser import limits
from flowser.exceptions import InvalidArgument
from flowser.limits import Duration
from flowser.replay.operations import Cancellation
from flowser.replay.retrying import Retry
from flowser.types import RunOptions

_CANCELLATIONS = ("request", "wait", "abandon")


class ActivityOptions(TypedDict, total=False):
    """Options of an activity; None is as the description says.

    Durations are seconds as digits or int, timedeltas, or "NONE".
    """

    id: str | None
    label: str | None
    cancellation: Cancellation
    retry: Retry | None
    task_list: str | None
    task_priority: int | str | None
    heartbeat_timeout: Duration | None
    schedule_to_close_timeout: Duration | None
    schedule_to_start_timeout: Duration | None
    start_to_close_timeout: Duration | None


class ChildOptions(RunOptions, total=False):
    """Options of a child; None is as the description says.

    ``id`` is its workflow id; one is made of the parent's when it is not given.
    """

    id: str | None
    label: str | None
    cancellation: Cancellation


class ActivityDefaults(TypedDict, total=False):
    """What a description of an activity may say besides its name."""

    description: str | None
    task_priority: int | str | None
    heartbeat_timeout: Duration
    schedule_to_close_timeout: Duration
    schedule_to_start_timeout: Duration
    start_to_close_timeout: Duration


class WorkflowDefaults(TypedDict, total=False):
    """What a description of a workflow may say besides its name."""

    description: str | None
    task_priority: int | str | None
    child_policy: str
    default_filter_tag: str | None
    default_tag_list: "list[str] | tuple[str, ...] | None"
    execution_start_to_close_timeout: Duration
    task_start_to_close_timeout: Duration
    lambda_role: str | None


def checked(options: Any, known: type[Any], where: str) -> dict[str, Any]:
    """Refuse options that there are not.

    Args:
        options: What was given.
        known: The TypedDict of those that there are.
        where: For the error.

    Raises:
        InvalidArgument: Naming the option, and those that there are.
    """
    names = known.__annotations__.keys() | getattr(known, "__optional_keys__", set())
    for name in options.keys() - names:
        remedy = f"use {', '.join(sorted(names))}"
        raise InvalidArgument(f"{where}.{name}", "is no option", remedy)
    _check_names(options, where)
    given = options.get("cancellation", "request")
    if given not in _CANCELLATIONS:
        remedy = "choose " + ", ".join(_CANCELLATIONS)
        raise InvalidArgument(f"{where}.cancellation", f"is {given!r}", remedy)
    if not isinstance(options.get("retry"), Retry | None):
        problem = f"is {options['retry']!r}"
        raise InvalidArgument(f"{where}.retry", problem, "pass a flow.Retry")
    return dict(options)


def _check_names(options: Any, where: str) -> None:
    if (id := options.get("id")) is not None:
        limits.check_value(limits.Name, id, f"{where}.id")
    if not isinstance(label := options.get("label"), str | None):
        raise InvalidArgument(f"{where}.label", f"is {label!r}", "pass a string")


def check_settings(settings: dict[str, Any], defaults: type[Any], what: str) -> None:
    """Refuse settings of a description that there are not.

    Args:
        settings: What was given.
        defaults: The TypedDict of those that there are besides its name.
        what: For the error: "an activity".

    Raises:
        InvalidArgument: Naming the setting, and those that there are.
    """
    known = {"name", "version", "task_list", *defaults.__annotations__}
    for name in settings.keys() - known:
        remedy = f"use {', '.join(sorted(known))}"
        raise InvalidArgument(name, f"is no setting of {what}", remedy)

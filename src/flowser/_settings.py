"""What the classes of types say, checked and resolved.

Source:
    swf-semantics.md sections 1.5 and 5.2.
"""

import inspect
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from flowser import limits, serializing, shapes
from flowser.exceptions import InvalidArgument
from flowser.limits import Duration, duration

T = TypeVar("T")


def checked(t: Any, base: type[T], argument: str) -> type[T]:
    """Refuse what is no type, or has no name, version or task list.

    Args:
        t: A class, or what a decorator made of a function.
        base: What it is to be a subclass of.
        argument: What it was passed as.

    Returns:
        The class.

    Raises:
        InvalidArgument: Naming what is missing.
    """
    t = class_of(t)
    if not (isinstance(t, type) and issubclass(t, base)):
        remedy = f"pass a subclass of flowser.types.{base.__name__}, the class itself"
        raise InvalidArgument(argument, f"is {t!r}", remedy)
    for name in ("name", "version", "task_list"):
        value = getattr(t, name, None)
        if not isinstance(value, str):
            problem = "is missing" if value is None else f"is {value!r}"
            raise InvalidArgument(f"{t.__name__}.{name}", problem, "set it to a string")
    serializer = getattr(t, "serializer", None)
    if serializer is not None and not isinstance(serializer, serializing.Serializer):
        problem = f"is {serializer!r}"
        remedy = "give an object that has dumps and loads"
        raise InvalidArgument(f"{t.__name__}.serializer", problem, remedy)
    found: type[T] = t
    return found


def all_checked(types: Iterable[Any] | None, base: type[T]) -> list[type[T]]:
    """Give the classes of types that were listed; see :func:`checked`."""
    return [checked(t, base, "types") for t in types or ()]


def class_of(t: Any) -> Any:
    """Give the class that a decorator made of a function; anything else as it is."""
    return t if isinstance(t, type) else getattr(t, "type", t)


def either(given: Any, default: Any) -> Any:
    """Choose what was given, also when it is empty: the limits tell of that."""
    return default if given is None else given


def list_of(cls: type[Any], given: str | None) -> shapes.TaskList:
    return shapes.TaskList(name=either(given, cls.task_list))


def is_no_list(tags: object) -> bool:
    """Tell what the check of limits is to see as it is: nothing, or a wrong value."""
    return isinstance(tags, str) or not isinstance(tags, Iterable)


def durations(
    cls: type[Any], given: Mapping[str, Duration | None]
) -> dict[str, str | None]:
    """Write durations, the class's where none is given."""
    return {
        name: duration(getattr(cls, name) if value is None else value, name)
        for name, value in given.items()
    }


def priority(
    value: int | str | None, default: int | str | None = None
) -> limits.Priority | None:
    """Write a task priority as SWF does."""
    value = default if value is None else value
    return None if value is None else str(value)


def annotations_of(name: str, run: Any) -> tuple[Any, Any]:
    """Read the annotations of a handler's parameter and of what it returns."""
    try:
        hints = typing.get_type_hints(run)
    except Exception as error:  # annotations are code: anything may come of it
        problem = f"has an annotation that cannot be resolved: {error}"
        remedy = "import it at run time, or set input_type and result_type"
        raise InvalidArgument(name, problem, remedy) from error
    parameter = next(iter(inspect.signature(run).parameters), "")
    return hints.get(parameter, Any), hints.get("return", Any)

"""Which type is served by what.

Source:
    issue 2 section 4: dispatch is by name and version; types that share a task list
    share its pollers.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

from flowser import limits
from flowser._flow.signals import handlers_of
from flowser._settings import checked
from flowser.exceptions import InvalidArgument
from flowser.types import Activity, Type, Workflow

T = TypeVar("T", bound=Type)


class Handler(NamedTuple, Generic[T]):
    """What serves a type.

    Attributes:
        kind: The type; its instances have the method that is called.
        method: Its name.
        threaded: Whether that is a plain ``def``.
    """

    kind: type[T]
    method: str
    threaded: bool


class Handlers(Generic[T]):
    """The handlers of one kind, by name and version."""

    def __init__(
        self, method: str, types: Iterable[type[T]], *, or_else: str | None = None
    ) -> None:
        """Collect the types that have a handler.

        Args:
            method: Its name: ``run`` or ``decide``.
            types: What the domain lists.
            or_else: The name of another method that makes a handler.
        """
        self._method = method
        self._or_else = or_else
        self._found: dict[tuple[str, str], Handler[T]] = {}
        for kind in types:
            if self._methods(kind):
                self.add(kind)

    def __iter__(self) -> Iterator[Handler[T]]:
        return iter(self._found.values())

    def get(self, name: str, version: str) -> Handler[T] | None:
        """Give the handler of a type, or None."""
        return self._found.get((name, version))

    def add(self, kind: type[T], function: Callable[..., Any] | None = None) -> None:
        """Serve a type, by a function or by its own method.

        Raises:
            InvalidArgument: When it is already served by another, or by nothing that
                can be called.
        """
        if function is not None:  # a class of its own, so that its hints are known
            own = {self._method: staticmethod(_routine(function))}
            kind = type(kind.__name__, (kind,), own)
        checked(kind, Type, _words(kind))
        methods = [self._method] if function is not None else self._methods(kind)
        if len(methods) > 1:
            problem = f"has both {' and '.join(methods)}"
            raise InvalidArgument(_words(kind), problem, "leave one of them out")
        method = methods[0] if methods else self._method
        handler = Handler(kind, method, self._threaded(kind, method))
        kind.check_payloads()
        if method == "run" and issubclass(kind, Workflow):
            handlers_of(kind)
        key = kind.name, kind.version
        other = self._found.get(key)
        if other is not None and function is None and other.kind is not kind:
            problem = f"has the name and version of {_words(other.kind)}"
            raise InvalidArgument(_words(kind), problem, "change one of them")
        self._found[key] = handler

    def _methods(self, kind: type[T]) -> list[str]:
        """Name the methods of a type that make a handler."""
        names = (self._method, self._or_else)
        return [name for name in names if name and getattr(kind, name, None)]

    def _threaded(self, kind: type[T], method: str) -> bool:
        where = f"{_words(kind)}.{method}"
        # On an instance that was never initialised: only the binding counts.
        bound = getattr(object.__new__(kind), method)
        try:
            inspect.signature(bound).bind(None)
        except TypeError as error:
            remedy = f"declare {method} with one parameter besides self"
            raise InvalidArgument(where, f"cannot be called: {error}", remedy) from None
        if _is_async(bound):
            return False
        if issubclass(kind, Workflow):
            raise InvalidArgument(where, "is a plain def", "write async def")
        return True

    def lists(self) -> dict[str, bool]:
        """Give the task lists, and whether a type on it is served by a plain def."""
        found: dict[str, bool] = {}
        for kind, _, threaded in self._found.values():
            found[kind.task_list] = found.get(kind.task_list, False) or threaded
        return found


def _is_async(function: Callable[..., Any]) -> bool:
    either = function, type(function).__call__
    return any(map(inspect.iscoroutinefunction, either))


def _routine(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function of anything callable, so that its annotations can be read."""
    if inspect.isroutine(function):
        return function

    async def later(given: Any) -> Any:
        return await function(given)

    def now(given: Any) -> Any:
        return function(given)

    return later if _is_async(function) else now


def seconds(kind: type[Activity], setting: str) -> float | None:
    """Give a timeout of an activity in seconds; None for no limit.

    Raises:
        InvalidArgument: When it is no duration.
    """
    where = f"{_words(kind)}.{setting}"
    text = limits.duration(getattr(kind, setting), where)
    if text is None or text == limits.NONE:
        return None
    if not (text.isascii() and text.isdigit()):
        remedy = 'pass seconds as an int or as digits, a timedelta, or "NONE"'
        raise InvalidArgument(where, f"is {text!r}", remedy)
    return float(text) or None


def _words(kind: type[Type]) -> str:
    return kind.__name__

"""The functions that a call runs, and which of them are the user's own.

Only these are read: of the workflow's top-level package, or from a file beside its own.
"""

import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from flowser._flow.linting.names import is_a, looked_up

_PACKAGES = {"site-packages", "dist-packages"}
_STANDARD = sys.stdlib_module_names - {"__main__"}

#: What is run when it is passed on, as a key or a callback, say.
PASSED = (
    FunctionType,
    MethodType,
    functools.partial,
    functools._lru_cache_wrapper,  # noqa: SLF001 - the type has no other name
    property,
    functools.cached_property,
)


class Called(NamedTuple):
    """A function that a workflow calls.

    Attributes:
        function: The function.
        bound: What its ``self`` is an instance of; None without.
    """

    function: Any
    bound: Any = None


def functions_of(thing: Any, bound: Any = None) -> Iterator[Called]:
    """List the functions that a call of something runs.

    Args:
        thing: A function, a method, a class, a property, or an object.
        bound: What ``self`` is an instance of, where it is known elsewhere.
    """
    if is_a(thing, FunctionType):
        yield Called(thing, bound)
        yield from functions_of(vars(thing).get("__wrapped__"), bound)
    elif is_a(thing, MethodType):
        own: Any = thing.__self__
        own = type[own] if is_a(own, type) else type(own)
        yield from functions_of(thing.__func__, own)
    elif is_a(thing, *PASSED):
        inner = ("func", "fget", "__wrapped__")
        found = [getattr(thing, name, None) for name in inner]
        for each in filter(None, found):
            yield from functions_of(each, bound)
    else:
        yield from _functions_of_object(thing)


def _functions_of_object(thing: Any) -> Iterator[Called]:
    made = is_a(thing, type)
    kind = thing if made else type(thing)
    for name in ("__init__", "__post_init__") if made else ("__call__",):
        found = looked_up(kind, name)[1]
        if is_a(found, FunctionType):
            yield from functions_of(found, kind)


class Home:
    """Where a workflow is from: other code from there is the user's own, too."""

    def __init__(self, module: dict[str, Any]) -> None:
        """Be at home in a module.

        Args:
            module: Its variables.
        """
        self._package = _package(module)
        self._folder = _folder(module)

    def owns(self, thing: Any) -> bool:
        """Tell whether a function, or a class, is the user's own."""
        module = variables_of(thing)
        package = _package(module)
        if package in ("flowser", ""):
            return False
        if package == self._package:
            return True
        beside = self._folder is not None and _folder(module) == self._folder
        return beside and package not in _STANDARD


def variables_of(thing: Any) -> dict[str, Any]:
    """Give the variables of the module that a function, or a class, is from."""
    if is_a(thing, FunctionType):
        found: dict[str, Any] = thing.__globals__
        return found
    name = thing.__module__ if is_a(thing, type) else None
    module = sys.modules.get(name) if isinstance(name, str) else None
    return vars(module) if is_a(module, ModuleType) else {}


def _package(module: dict[str, Any]) -> str:
    name = module.get("__package__") or module.get("__name__") or ""
    return str(name).partition(".")[0]


def _folder(module: dict[str, Any]) -> Path | None:
    file = module.get("__file__")
    folder = Path(file).parent if isinstance(file, str) else None
    return None if folder is None or folder.name in _PACKAGES else folder

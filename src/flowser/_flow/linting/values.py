"""What is known of a value without running anything: less than a type checker knows.

What is not known is None, and nothing is said of it: a lint that cries wolf is switched
off.
"""

import ast
import asyncio
import functools
import inspect
import sys
import typing
from collections.abc import Callable, Coroutine, Iterable
from datetime import date
from enum import Enum
from pathlib import PurePath
from types import FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from flowser._flow.activities import Activity
from flowser._flow.linting.names import (
    ROUTINES,
    home,
    is_a,
    looked_up,
    member_of,
    name_of,
)
from flowser._flow.workflows import Workflow

MISSING: Any = object()

#: Only so many elements of a set that is there are looked at.
_MANY = 100

#: Whose hashes, and so whose order in a set, are others in another process.
_SALTED: set[Any]
_SALTED = {kind.__hash__ for kind in (str, bytes, Enum, date, PurePath)}

_COROUTINE = Coroutine[Any, Any, Any]

_SETS = (set, frozenset)
HOLDERS = (set, frozenset, list, tuple)
_PATHS = ("parent", "joinpath", "with_name", "with_suffix", "with_stem", "relative_to")


class Value(NamedTuple):
    """What is known of a value.

    Attributes:
        names: What it may be called in rules.
        thing: The object, when it is there already.
        kind: What it is an instance of: ``Path``, ``list[str]``.
        bound: Of a method, what its ``self`` is an instance of.
        local: Of a function that is defined in the code itself, where that is.
    """

    names: tuple[str, ...] = ()
    thing: Any = MISSING
    kind: Any = None
    bound: Any = None
    local: Any = None

    def is_like(self, other: "Value") -> bool:
        """Tell whether the two are known as the same; ``==`` would ask the objects."""
        ours, theirs = (each._replace(thing=id(each.thing)) for each in (self, other))
        return ours == theirs


def of_thing(thing: Any) -> Value:
    """Say what is known of an object."""
    name = name_of(thing)
    return Value((name,) if name else (), thing)


def of_module(name: str) -> Value:
    """Say what is known of a module, which may not be loaded yet."""
    module = sys.modules.get(name)
    return Value((home(name),)) if module is None else of_thing(module)


def of_kind(kind: Any) -> Value | None:
    """Say what is known of something by its annotation; None is no annotation."""
    if typing.get_origin(kind) is type and is_a(typing.get_args(kind)[0], type):
        return of_thing(typing.get_args(kind)[0])
    return None if kind is None else Value(kind=kind)


def either(values: Iterable[Value | None]) -> Value | None:
    """Say what is known of something that is one of these."""
    first, *others = [*values] or [None]
    if first is None or not all(o is not None and first.is_like(o) for o in others):
        return None
    return first


# -- members --


def member(value: Value, name: str) -> Value | None:
    """Say what is known of an attribute."""
    if value.thing is MISSING:
        if value.kind is not None:
            return _of_instance(value.kind, name)
        return Value(tuple(f"{each}.{name}" for each in value.names))
    if is_a(value.thing, ModuleType):
        return _of_module(value, name)
    if is_a(value.thing, type):
        return _of_class(value.thing, name)
    return _of_object(value, name)


def _of_module(value: Value, name: str) -> Value | None:
    path = tuple(f"{each}.{name}" for each in value.names)
    found = vars(value.thing).get(name, MISSING)
    if found is MISSING:  # not asked for: a module may load things then
        module = sys.modules.get(f"{value.thing.__name__}.{name}")
        return Value(path) if module is None else of_thing(module)
    known = of_thing(found)
    return known._replace(names=path + known.names)


def _of_class(kind: type[Any], name: str) -> Value | None:
    owner, found = looked_up(kind, name)
    if owner is None:
        return None
    bound: Any = kind
    if is_a(found, staticmethod, classmethod):
        bound = None if is_a(found, staticmethod) else type[kind]
        found = found.__func__
    member = of_thing(found)
    return member._replace(names=(member_of(kind, name), *member.names), bound=bound)


def _of_instance(kind: Any, name: str) -> Value | None:
    of = typing.get_origin(kind) or kind
    if not is_a(of, type):
        return None
    owner, found = looked_up(of, name)
    if owner is None or not _is_code(found):
        known = of_kind(hints_of(of).get(name))
        return known or (None if owner is None else Value(kind=type(found)))
    if issubclass(of, PurePath) and name == "parent":
        return Value(kind=of)
    return _of_class(of, name)


def _is_code(found: Any) -> bool:
    wrapped = (staticmethod, classmethod, property, functools.cached_property)
    return is_a(found, *ROUTINES, *wrapped, type)


def _of_object(value: Value, name: str) -> Value | None:
    if value.names:  # a function, or data that has a rule
        return None
    own = _attributes(value.thing)
    if name in own:
        return of_thing(own[name])
    known = _of_instance(type(value.thing), name)
    if known is None or not known.names:
        return known
    return known._replace(names=(member_of(value.thing, name),))


def _attributes(thing: Any) -> dict[str, Any]:
    """Give the attributes of an object that can be had without running its code."""
    plain: Any = object.__getattribute__
    try:
        found = plain(thing, "__dict__")
    except AttributeError:  # it has slots, or is written in C
        return {}
    return found if type(found) is dict else {}


# -- results --

_KINDS: dict[str, Any] = {
    "asyncio.get_running_loop": asyncio.AbstractEventLoop,
    "asyncio.get_event_loop": asyncio.AbstractEventLoop,
    "str.split": list[str],
    "str.splitlines": list[str],
    "input": str,
    "repr": str,
    "str.join": str,
    "str.format": str,
}


def result(value: Value | None, arguments: Callable[[], Value | None]) -> Value | None:
    """Say what is known of what a call gives.

    Args:
        value: What is called.
        arguments: Gives the only argument, when it is asked for.
    """
    if value is None:
        return None
    thing = value.thing
    if is_a(thing, type):
        return Value(kind=_constructed(thing, arguments))
    if value.local is not None:
        is_async = isinstance(value.local[0], ast.AsyncFunctionDef)
        return Value(kind=_COROUTINE) if is_async else None
    called = is_a(thing, Activity, Workflow)
    if called:
        thing = thing.function
    for name in value.names:
        if name in _KINDS:
            return Value(kind=_KINDS[name])
        if name.startswith("pathlib.PurePath.") and name.endswith(_PATHS):
            return Value(kind=value.bound)
    return _returned(thing, is_async=called)


def _returned(thing: Any, *, is_async: bool) -> Value | None:
    function = thing.__func__ if is_a(thing, MethodType) else thing
    if not is_a(function, FunctionType):
        return Value(kind=_COROUTINE) if is_async else None
    hint = hints_of(function).get("return")
    if is_async or function.__code__.co_flags & inspect.CO_COROUTINE:
        returned: Any = Any if hint is None else hint
        return Value(kind=Coroutine[Any, Any, returned])
    return of_kind(hint)


def awaited(value: Value | None) -> Value | None:
    """Say what is known of what a coroutine returns."""
    if value is None or not is_coroutine(value.kind):
        return None
    kind = typing.get_args(value.kind)[2]
    return None if kind is Any else Value(kind=kind)


def is_coroutine(kind: Any) -> bool:
    """Tell whether it is a coroutine that no task runs yet."""
    return typing.get_origin(kind) is Coroutine


def _constructed(kind: type[Any], arguments: Callable[[], Value | None]) -> Any:
    if kind in HOLDERS:
        return holding(kind, item_of(arguments()))
    return kind


def hints_of(thing: Any) -> dict[str, Any]:
    """Read annotations; what cannot be read has none."""
    try:
        return typing.get_type_hints(thing)
    except Exception:  # noqa: BLE001 - annotations are code: anything may come of it
        return {}


# -- order --


def holding(kind: type[Any], item: Any) -> Any:
    """Give ``set[str]`` for a set of strings."""
    if item is None:
        return kind
    return tuple[item, ...] if kind is tuple else kind[item]


def item_of(value: Value | None) -> Any:
    """Say what is known of what an iteration gives: a type, or None."""
    if value is None:
        return None
    if value.kind is not None:
        return _element(value.kind)
    if type(value.thing) not in (list, tuple, dict, *_SETS):
        return None
    if len(value.thing) > _MANY:
        return None
    kinds = {type(each) for each in value.thing}
    return kinds.pop() if len(kinds) == 1 else None


def _element(kind: Any) -> Any:
    if kind is str:
        return str
    of, arguments = typing.get_origin(kind), typing.get_args(kind)
    if not is_a(of, type) or not arguments:
        return None
    if of is tuple:
        arguments = tuple(a for a in arguments if a is not ...)
        return arguments[0] if len(set(arguments)) == 1 else None
    return arguments[0] if hasattr(of, "__iter__") else None


def combined(value: Value) -> Value | None:
    """Say what is known of a set, a text or a path, and an operator, and another."""
    kind = type(value.thing) if value.kind is None else value.kind
    of = typing.get_origin(kind) or kind
    alike = is_a(of, type) and issubclass(of, (*_SETS, str, PurePath))
    return Value(kind=kind) if alike else None


def is_disordered(value: Value | None) -> bool:
    """Tell whether it is a set whose order is another one in another process."""
    if value is None:
        return False
    of = typing.get_origin(value.kind) or value.kind or type(value.thing)
    if not is_a(of, type) or not issubclass(of, _SETS):
        return False
    if value.kind is None and type(value.thing) in _SETS:
        few = list(value.thing)[:_MANY]
        return len(value.thing) > 1 and any(is_salted(type(each)) for each in few)
    return is_salted(item_of(value))


def is_salted(kind: Any) -> bool:
    """Tell whether the hashes of a type are others in another process."""
    of = typing.get_origin(kind) or kind
    if of is tuple:
        return any(map(is_salted, typing.get_args(kind)))
    return is_a(of, type) and (of.__hash__ in _SALTED or _is_plain_object(of))


def _is_plain_object(kind: type[Any]) -> bool:
    """Tell whether objects of a class hash by their addresses; futures do not here."""
    hashed: Any = kind.__hash__
    if hashed is not object.__hash__ or issubclass(kind, asyncio.Future):
        return False
    vague = kind is object or inspect.isabstract(kind)
    return not vague and not getattr(kind, "_is_protocol", False)

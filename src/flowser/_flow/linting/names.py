"""What things are called, whatever name and module they were imported by.

No code of the things themselves runs here: they may be proxies, or do odd things when
they are asked for an attribute.
"""

import builtins
import functools
import os
import sys
from types import (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    FunctionType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any

#: What can be called, and says itself what it is called.
ROUTINES = (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    FunctionType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
    WrapperDescriptorType,
    functools._lru_cache_wrapper,  # noqa: SLF001 - the type has no other name
)

_HOMES = {"posix": "os", "nt": "os", "posixpath": "os.path", "ntpath": "os.path"}
_HOMES |= {"genericpath": "os.path", "_thread": "threading"}

#: Generators of random numbers that were not made by the run itself are shared.
_SHARED = {
    "random.Random": "random",
    "random.SystemRandom": "random",
    "numpy.random.Generator": "numpy.random",
    "numpy.random.mtrand.RandomState": "numpy.random",
}


def is_a(thing: Any, *kinds: type[Any]) -> bool:
    """Tell whether it is one, without asking itself."""
    return issubclass(type(thing), kinds)


def name_of(thing: Any) -> str:
    """Give the dotted name of a module, a class, a function or known data, or ""."""
    if is_a(thing, ModuleType):
        return home(str(vars(thing).get("__name__", "")))
    if is_a(thing, type):
        return _written(thing, thing.__module__, thing.__qualname__)
    if is_a(thing, *ROUTINES):
        return _of_routine(thing)
    known = {"os.environ": os.environ, "sys.argv": sys.argv, "sys.stdin": sys.stdin}
    known["os.environb"] = getattr(os, "environb", None)
    return next((name for name, each in known.items() if each is thing), "")


def _of_routine(thing: Any) -> str:
    own = getattr(thing, "__self__", None)
    name = str(getattr(thing, "__name__", ""))
    if own is not None and not is_a(own, ModuleType):
        return member_of(own, name)
    owner = getattr(thing, "__objclass__", None)
    if owner is not None:
        return f"{name_of(owner)}.{name}"
    module = getattr(thing, "__module__", None)
    return _written(thing, module, str(getattr(thing, "__qualname__", name)))


def member_of(owner: Any, name: str) -> str:
    """Give the dotted name of a member of a class, or of an object that is there."""
    kind = owner if is_a(owner, type) else type(owner)
    found, _ = looked_up(kind, name)
    of = name_of(kind if found is None else found)
    if not is_a(owner, type):
        of = _SHARED.get(name_of(kind), of)
    return f"{of}.{name}"


def looked_up(kind: type[Any], name: str) -> tuple[type[Any] | None, Any]:
    """Find a member of a class, and the class that has it."""
    for owner in kind.__mro__:
        if name in owner.__dict__:
            return owner, owner.__dict__[name]
    return None, None


def _written(thing: Any, module: Any, name: str) -> str:
    if getattr(builtins, name, None) is thing:
        return name
    if not isinstance(module, str):
        return name
    if module == "pathlib._abc":  # where Python 3.13 has what paths have in common
        name = name.replace("PathBase", "Path")
    return f"{home(module)}.{name}"


def home(module: str) -> str:
    """Give the module that users know: ``io`` of ``_io``, all of asyncio's are one."""
    if module in _HOMES:
        return _HOMES[module]
    first, *rest = module.split(".")
    if first == "asyncio":
        return first
    return ".".join([first.lstrip("_"), *(r for r in rest if not r.startswith("_"))])

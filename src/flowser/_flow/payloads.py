"""Arguments as the JSON object of a function's parameters, and back.

``resize("a.png", width=200)`` is ``{"image": "a.png", "width": 200}``. A parameter that
has a default and is not given is left out; one that is not known is not minded. So a
new parameter with a default breaks no open run.

Source:
    DESIGN section 3 (function types).
"""

import functools
import inspect
import typing
from collections.abc import Callable
from functools import cached_property
from types import NoneType
from typing import Any

import msgspec

from flowser import serializing
from flowser.exceptions import InvalidArgument

_UNION: Any = typing.Union  # of what is known at run time only

#: What JSON is read as where nothing is said.
_PLAIN = (NoneType, bool, int, float, str, list, dict)

_NAMED = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
)


class Parameters:
    """The parameters of a function, and what it returns.

    Attributes:
        function: The function.
        names: Those of its parameters.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        """Look at a function; its annotations are looked at when they are needed.

        Raises:
            InvalidArgument: When a parameter has no name on the wire.
        """
        self.function = function
        self._name = function.__qualname__
        self._signature = _signature(function)
        for parameter in self._signature.parameters.values():
            if parameter.kind not in _NAMED:
                problem = "stands for any number of arguments"
                remedy = "name each parameter, or take a list or a dict"
                raise InvalidArgument(f"{self._name}: {parameter}", problem, remedy)
            if parameter.name.startswith("__"):
                problem, remedy = "begins with two underscores", "name it otherwise"
                raise InvalidArgument(f"{self._name}: {parameter}", problem, remedy)
        found = self._signature.parameters.values()
        self.names = {p.name for p in found}
        self._needed = {p.name for p in found if p.default is p.empty}
        plain = all(p.kind is not p.POSITIONAL_ONLY for p in found)
        ordered = (p.name for p in found if p.kind is not p.KEYWORD_ONLY)
        self._ordered = tuple(ordered) if plain else ()
        #: How many positional arguments are all there can be; -1 where others can be.
        self._all = len(self._ordered) if len(self._ordered) == len(self.names) else -1

    @property
    def bound(self) -> bool:
        """Whether the first one is that of a method."""
        return next(iter(self._signature.parameters), "") in ("self", "cls")

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Give arguments their parameters' names.

        Raises:
            TypeError: When they do not fit, as a call would.
        """
        if not kwargs and len(args) == self._all:  # twice as quick as what follows
            if self._all == 1:
                return {self._ordered[0]: args[0]}
            return dict(zip(self._ordered, args, strict=True))
        if len(args) <= len(self._ordered):  # ten times as quick as what follows
            bound = dict(zip(self._ordered, args, strict=False)) | kwargs
            names = bound.keys()
            if (
                len(bound) == len(args) + len(kwargs)
                and names <= self.names
                and names >= self._needed
            ):
                return bound
        try:
            return self._signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f"{self._name}() {error}") from None

    def call(self, input: Any) -> Any:
        """Call the function with an input that was read as :attr:`struct`.

        Raises:
            msgspec.ValidationError: When there is no input, and a parameter needs one.
        """
        if input is None:
            input = msgspec.convert({}, self.struct)
        args, kwargs = [], {}
        for name, parameter in self._signature.parameters.items():
            value = getattr(input, name)
            if value is msgspec.UNSET:
                continue
            if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
                args.append(value)
            else:
                kwargs[name] = value
        return self.function(*args, **kwargs)

    @cached_property
    def struct(self) -> type[msgspec.Struct]:
        """What an input is read as.

        Raises:
            InvalidArgument: When an annotation cannot be resolved, or cannot be JSON.
        """
        fields: list[tuple[str, Any, Any]] = []
        for name, parameter in self._signature.parameters.items():
            hint = self._hints.get(name, Any)
            if parameter.default is inspect.Parameter.empty:
                fields.append((name, hint, msgspec.NODEFAULT))
            else:
                optional = _UNION[hint, msgspec.UnsetType]
                fields.append((name, optional, msgspec.UNSET))
        return msgspec.defstruct(
            f"{self._name.rpartition('.')[2]}_input", fields, kw_only=True
        )

    @cached_property
    def result(self) -> Any:
        """What a result is read as; `Any` without an annotation."""
        return self._hints.get("return", Any)

    def check(self) -> None:
        """Refuse parameters, and a result, that JSON cannot be.

        Raises:
            InvalidArgument: Naming them.
        """
        for name in self._signature.parameters:
            _decoder(self._hints.get(name, Any), f"{self._name}: {name}")
        _decoder(self.struct, f"{self._name}: the input")
        _decoder(self.result, f"{self._name}: the result")

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return _hints_of(self.function)


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except ValueError as error:  # of a builtin
        problem, remedy = "does not tell its parameters", "call it in a def of your own"
        raise InvalidArgument(function.__qualname__, problem, remedy) from error


def returned_by(function: Callable[..., Any]) -> Any:
    """Say what a callable of any kind returns; `Any` where it does not say.

    Raises:
        InvalidArgument: When an annotation cannot be resolved.
    """
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isclass(function):
        return function
    if not inspect.isroutine(function):
        function = type(function).__call__
    return _hints_of(function).get("return", Any)


def _hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception as error:  # annotations are code: anything may come of it
        problem = f"has an annotation that cannot be resolved: {error}"
        remedy = "define or import it where the module is run"
        raise InvalidArgument(function.__qualname__, problem, remedy) from error


def reader(
    type: Any, serializer: serializing.Serializer | None = None, what: str = "a result"
) -> Callable[[str | None], Any]:
    """Make what reads payloads of a type; no payload is None, and None reads nothing.

    Args:
        type: An annotation.
        serializer: What reads them if not JSON.
        what: What they are, for the error.

    Raises:
        InvalidArgument: When JSON cannot be of that type.
    """
    if serializer is not None and serializer is not serializing.JSON:
        return lambda text: None if text is None else serializer.loads(text, type)
    if type is None or type is NoneType:
        return _nothing
    decode = _decoder(type, what).decode

    def loads(text: str | None) -> Any:
        if text is None:
            return None
        try:
            return decode(text)
        except (ValueError, RecursionError):
            return serializing.JSON.loads(text, type)  # raises what tells more

    return loads


def _decoder(type: Any, what: str) -> "msgspec.json.Decoder[Any]":
    try:
        problem = _problem(type)
    except TypeError:  # an annotation that does not hash
        problem = _problem.__wrapped__(type)
    if problem is not None:
        problem = f"is of a type that JSON cannot be: {problem}"
        remedy = "annotate it with a dataclass, a TypedDict, or another that it can be"
        raise InvalidArgument(what, problem, remedy)
    return msgspec.json.Decoder(type)


@functools.lru_cache
def _problem(type: Any) -> str | None:
    """Say why JSON cannot be of a type, or None."""
    try:
        msgspec.json.Decoder(type)
        msgspec.json.schema(type, schema_hook=_unknown)
    except (TypeError, ValueError) as error:
        return str(error).splitlines()[-1]
    return None


def _unknown(kind: Any) -> dict[str, Any]:
    """Let a class pass that msgspec does not know, if something in JSON is one.

    Raises:
        NotImplementedError: Otherwise: whatever is read, it would be refused.
    """
    if isinstance(kind, type) and any(issubclass(each, kind) for each in _PLAIN):
        return {"title": "anything"}  # an empty one would be taken for none
    raise NotImplementedError


def _nothing(text: str | None) -> None:
    """Read the result of what returns none."""

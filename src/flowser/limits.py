"""What SWF accepts: the limits of every member, checked before the wire.

A rule is written once, as metadata of a type (``Data``, ``Name`` ...), and shapes
name the type. :func:`check` walks a shape by a plan that is made once per class, so
that a small request is checked in microseconds.

Source:
    swf-semantics.md section 1.5; botocore's service-2.json (min, max, enum).
"""

import functools
import re
import types
import typing
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, NamedTuple, Protocol, cast

import msgspec

from flowser.exceptions import InvalidArgument

#: Requests of this many bytes and more are refused ("Amazon SWF quotas": 1 MB with
#: headers, of which a signed request has at most a few KiB).
MAX_REQUEST_BYTES = 1024 * 1024 - 8 * 1024

#: A duration that never ends.
NONE = "NONE"

#: Seconds as a string of digits, as a whole number, as a timedelta, or "NONE".
Duration = str | int | timedelta

_ELSEWHERE = "store it elsewhere (S3, a database) and pass a reference"
_SURROGATE = re.compile("[\ud800-\udfff]")
_FORBIDDEN = re.compile(r"[:/|\x00-\x1f\x7f-\x9f]")
_TAG_CHARACTERS = re.compile(r"[\w\s.:/=+\-@]*\Z")


class Rule(Protocol):
    """Says what is wrong with a value, and the remedy; None when it is right."""

    def __call__(self, value: Any, /) -> tuple[str, str] | None:
        """Judge *value*."""
        ...


class Text(NamedTuple):
    """A string of a bounded number of characters."""

    maximum: int
    minimum: int = 0
    remedy: str = "shorten it"

    def __call__(self, value: Any, /) -> tuple[str, str] | None:
        """Judge type and length."""
        return _length(value, *self)


def _length(
    value: Any, maximum: int, minimum: int, remedy: str
) -> tuple[str, str] | None:
    if not isinstance(value, str):
        return f"is {_kind(value)}, not a string", "pass a string"
    if not value.isascii() and _SURROGATE.search(value):
        return "contains a lone surrogate, which is no character", "remove it"
    if len(value) > maximum:
        problem = f"has {len(value):,} characters; SWF takes {maximum:,}"
        return problem, remedy
    if len(value) < minimum:
        return "is empty", "give it at least one character"
    return None


class Identifier(NamedTuple):
    """A name: bounded, without the characters that SWF forbids."""

    maximum: int = 256
    minimum: int = 1
    stripped: bool = False

    def __call__(self, value: Any, /) -> tuple[str, str] | None:
        """Judge length, forbidden characters, and the reserved word ``arn``."""
        if wrong := _length(value, self.maximum, self.minimum, "shorten it"):
            return wrong
        if found := _FORBIDDEN.search(value):
            problem = f"{value!r} contains {found[0]!r}"
            return problem, "use no ':', '/', '|' or control character"
        if value == "arn":
            return "is 'arn', which SWF reserves", "choose another name"
        if self.stripped and value != value.strip():
            return f"{value!r} begins or ends with a space", "strip it"
        return None


class Number(NamedTuple):
    """A string of digits within bounds, or ``NONE`` where that is allowed."""

    minimum: int = 0
    maximum: int = 99_999_999
    unlimited: bool = True
    unit: str = "seconds"

    def __call__(self, value: Any, /) -> tuple[str, str] | None:
        """Judge the number in the string."""
        if value == NONE and self.unlimited:
            return None
        digits = r"[0-9]{1,8}" if self.minimum >= 0 else r"-?[0-9]{1,10}"
        if isinstance(value, str) and re.fullmatch(digits, value):
            if self.minimum <= int(value) <= self.maximum:
                return None
            return f"is {value}", f"choose {self.minimum:,} to {self.maximum:,}"
        words = ' or "NONE"' if self.unlimited else ""
        remedy = f"pass whole {self.unit} as digits{words}, or leave it out"
        return f"is {value!r}", remedy


class OneOf(NamedTuple):
    """A member of an enumeration, or its string."""

    enum: type[StrEnum]

    def __call__(self, value: Any, /) -> tuple[str, str] | None:
        """Judge membership."""
        if value in self.enum.__members__.values():
            return None
        return f"is {value!r}", f"choose one of {', '.join(self.enum)}"


def tag_characters(value: Any, /) -> tuple[str, str] | None:
    """Judge the characters of a resource tag's key or value."""
    if isinstance(value, str) and _TAG_CHARACTERS.match(value):
        return None
    return f"{value!r} has a character no tag may have", "see the AWS tagging rules"


Name = Annotated[str, Identifier()]
ListName = Annotated[str, Identifier(stripped=True)]
Version = Annotated[str, Identifier(64)]
VersionOptional = Annotated[str, Text(64)]
Label = Annotated[str, Text(256, 1)]
RunId = Annotated[str, Text(64, 1)]
RunIdOptional = Annotated[str, Text(64)]
Data = Annotated[str, Text(32_768, remedy=_ELSEWHERE)]
LimitedData = Annotated[str, Text(2_048, remedy="keep a short progress note in it")]
Reason = Annotated[str, Text(256, remedy="put the long text into details")]
Identity = Annotated[str, Text(256)]
Description = Annotated[str, Text(1_024)]
FunctionName = Annotated[str, Text(64, 1)]
Arn = Annotated[str, Text(1_600, 1)]
PageToken = Annotated[str, Text(2_048)]
TaskToken = Annotated[str, Text(1_024, 1)]
Tag = Annotated[str, Text(256)]
TagKey = Annotated[str, Text(128, 1), tag_characters]
TagValue = Annotated[str, Text(256), tag_characters]
Seconds = Annotated[str, Number(unlimited=False)]
SecondsOrNone = Annotated[str, Number()]
LambdaSeconds = Annotated[str, Number(1, 900, unlimited=False)]
RetentionDays = Annotated[str, Number(0, 90, unit="days")]
Priority = Annotated[str, Number(-(2**31), 2**31 - 1, unlimited=False, unit="numbers")]


class Most(NamedTuple):
    """At most so many items in a list."""

    items: int
    remedy: str

    def __call__(self, value: Any, /) -> tuple[str, str] | None:
        """Judge the number of items."""
        if len(value) <= self.items:
            return None
        return f"has {len(value)} items; SWF takes {self.items}", self.remedy


class Size(NamedTuple):
    """How many items a page may have."""

    maximum: int = 1_000

    def __call__(self, value: Any, /) -> tuple[str, str] | None:
        """Judge the number."""
        if type(value) is int and 0 <= value <= self.maximum:
            return None
        return f"is {value!r}", f"choose 0 to {self.maximum:,} items a page"


PageSize = Annotated[int, Size()]
TagList = Annotated[tuple[Tag, ...], Most(5, "keep the five that you filter by")]


def duration(value: Duration | None, argument: str) -> str | None:
    """Write a duration the way SWF does.

    Args:
        value: Whole seconds as digits, as an int, or as a timedelta (rounded up to
            a second); "NONE" for no limit; None when it is left out.
        argument: The name to use in the error.

    Returns:
        Digits, "NONE", or None.

    Raises:
        InvalidArgument: When it is none of these.

    Source:
        swf-semantics.md sections 1.1 and 5.2.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, timedelta):
        value = -((-value) // timedelta(seconds=1))
    if type(value) is not int or value < 0:
        remedy = 'pass seconds as an int or as digits, a timedelta, or "NONE"'
        raise InvalidArgument(argument, f"is {value!r}", remedy)
    return str(value)


def check(shape: msgspec.Struct, path: str = "") -> None:
    """Refuse what SWF would refuse, before it is sent.

    Args:
        shape: A request, or a shape inside one.
        path: Where it stands, for the error: ``decisions[2].``.

    Raises:
        InvalidArgument: Naming the argument, the limit and the remedy.

    Source:
        swf-semantics.md section 1.5.
    """
    for name, required, rules in _plan(type(shape)):
        value = getattr(shape, name)
        if value is None:
            if required:
                raise InvalidArgument(path + name, "is missing", "pass it")
        else:
            for rule in rules:
                rule(value, path + name)


def check_value(annotation: Any, value: Any, argument: str) -> None:
    """Refuse a single value: ``check_value(LimitedData, details, "details")``.

    Raises:
        InvalidArgument: Naming the argument, the limit and the remedy.
    """
    for step in _steps(annotation):
        step(value, argument)


@functools.cache
def bare(hint: Any) -> tuple[Any, tuple[Rule, ...]]:
    """Take an annotation apart.

    Returns:
        The type without None, such as ``tuple[Tag, ...]`` or a shape; and its rules.
    """
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin is Annotated:
        kind, rules = bare(arguments[0])
        return kind, (*rules, *arguments[1:])
    if origin in {types.UnionType, typing.Union}:
        (some,) = (part for part in arguments if part is not types.NoneType)
        return bare(some)
    return hint, (OneOf(hint),) if _is(hint, StrEnum) else ()


_Step = Callable[[Any, str], None]


@functools.cache
def _plan(shape: type[msgspec.Struct]) -> tuple[tuple[str, bool, list[_Step]], ...]:
    hints = typing.get_type_hints(shape, include_extras=True)
    required = {field.name: field.required for field in msgspec.structs.fields(shape)}
    return tuple(
        (name, needed, steps)
        for name, needed in required.items()
        if (steps := _steps(hints[name])) or needed
    )


def _steps(hint: Any) -> list[_Step]:
    """Turn an annotation into the checks it stands for."""
    kind, rules = bare(hint)
    return [*_kind_steps(kind), *map(_judge, rules)]


def _kind_steps(kind: Any) -> list[_Step]:
    if typing.get_origin(kind) is tuple:
        return [functools.partial(_check_items, _steps(typing.get_args(kind)[0]))]
    if _is(kind, msgspec.Struct):
        return [functools.partial(_check_shape, kind)]
    return [_judge(_boolean)] if kind is bool else []


def _is(kind: Any, parent: type) -> bool:
    return isinstance(kind, type) and issubclass(kind, parent)


def _judge(rule: Rule) -> _Step:
    def step(value: Any, path: str) -> None:
        if wrong := rule(value):
            raise InvalidArgument(path, *wrong)

    return step


def _boolean(value: Any, /) -> tuple[str, str] | None:
    return None if isinstance(value, bool) else (f"is {value!r}", "pass a bool")


def _check_items(steps: list[_Step], items: Any, path: str) -> None:
    if isinstance(items, str) or not isinstance(items, (tuple, list)):
        raise InvalidArgument(path, f"is {_kind(items)}", "pass a list or a tuple")
    for index, item in enumerate(items):
        for step in steps:
            step(item, f"{path}[{index}]")


def _check_shape(shape: type[msgspec.Struct], value: Any, path: str) -> None:
    if not isinstance(value, shape):
        raise InvalidArgument(path, f"is {_kind(value)}", f"pass {shape.__name__}")
    if tag := value.__struct_config__.tag:
        # A wrapped decision: its type is worth telling, the wrapping is not.
        check(cast("Any", value).attributes, f"{path} ({tag}).")
    else:
        check(value, f"{path}.")


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"

"""Payloads: Python objects to text and back.

A serializer is anything with ``dumps`` and ``loads``; give one to a domain or to a type
to replace JSON. Payloads come from the network: a serializer must never run what it
reads (no pickle).

Source:
    swf-semantics.md section 1.5 (Data); DESIGN section 3 (payloads).
"""

import contextlib
import math
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Protocol, runtime_checkable

import msgspec

from flowser.exceptions import SerializationError


@runtime_checkable
class Serializer(Protocol):
    """Writes payloads as text, and reads them."""

    def dumps(self, value: Any, /) -> str:
        """Write *value* as text.

        Raises:
            SerializationError: When it cannot be written without loss.
        """
        ...

    def loads(self, text: str, /, type: Any = Any) -> Any:
        """Read an object of *type* from *text*.

        Raises:
            SerializationError: When the text is no such object.
        """
        ...


class JSONSerializer:
    """JSON by msgspec: dataclasses, Structs, TypedDicts, datetime, UUID, Decimal ...

    Sets and tuples become arrays. NaN and infinity, which JSON cannot carry, are
    refused rather than written as null.
    """

    def dumps(self, value: Any, /) -> str:
        """Write *value* as JSON.

        Raises:
            SerializationError: Naming the type that JSON does not know.
        """
        subject = f"a payload of type {type(value).__name__}"
        try:
            text = msgspec.json.encode(value).decode()
        except (TypeError, ValueError, RecursionError) as error:
            raise SerializationError(subject, str(error)) from error
        if "null" in text and not _finite(msgspec.to_builtins(value)):
            problem = "JSON has no NaN or infinity: pass None or a string"
            raise SerializationError(subject, problem)
        return text

    def loads(self, text: str, /, type: Any = Any) -> Any:
        """Read an object of *type* from JSON.

        Raises:
            SerializationError: Saying where the text departs from the type.
        """
        try:
            return msgspec.json.decode(text, type=type)
        except (ValueError, RecursionError) as error:
            expected = getattr(type, "__name__", str(type))
            subject = f"a payload of {len(text):,} characters"
            problem = f"is not JSON of type {expected}: {error}"
            raise SerializationError(subject, problem) from error


def _finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_finite, value))
    return True


#: What domains and types use unless told otherwise.
JSON = JSONSerializer()

_current: ContextVar[Serializer] = ContextVar("flowser.serializer", default=JSON)


def current() -> Serializer:
    """Give the serializer in effect: that of the domain whose call is being made."""
    return _current.get()


def use(serializer: Serializer) -> None:
    """Put a serializer into effect from here on, in the current context."""
    _current.set(serializer)


@contextlib.contextmanager
def using(serializer: Serializer) -> Iterator[None]:
    """Put a serializer into effect, for class methods that know no domain."""
    token = _current.set(serializer)
    try:
        yield
    finally:
        _current.reset(token)

"""Requests from their bytes: read at once when they are right, else judged with care.

Source:
    swf-semantics.md sections 1.1, 1.2, 1.4 and 3.1; reliability.md section 5.
"""

import functools
import itertools
import re
from typing import Any

import msgspec

from flowser import requests, shapes
from flowser.local.engine import constraints, drafts, faults, forms

#: How many objects and lists may stand in each other; SWF's requests have five.
DEPTH = 64

#: How many errors of a request are looked for. SWF is not known to stop; but a megabyte
#: of empty decisions would have an answer of forty.
ERRORS = 100

_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    operation: msgspec.json.Decoder(forms.wire(request))
    for operation, request in requests.OPERATIONS.items()
}


def read(operation: str, body: bytes) -> requests.Request[Any]:
    """Read a request.

    Args:
        operation: What the caller asks for.
        body: JSON. SWF is not known to take an empty one; here it has no members.

    Returns:
        The request, right in all that it tells by itself.

    Raises:
        Fault: UnknownOperationException; SerializationException when the body is no
            JSON, or has values of other types; ValidationException.
    """
    decoder = _DECODERS.get(operation)
    if decoder is None:
        raise faults.unknown_operation()
    body = body or b"{}"
    return forms.resolved(_at_once(decoder, body) or _with_care(decoder.type, body))


def _at_once(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """Read what is right in every respect; None when it is not."""
    try:
        given = _decode(decoder, body)
    except msgspec.ValidationError:
        return None
    return given if constraints.met(given) else None


def _with_care(shape: type[msgspec.Struct], body: bytes) -> Any:
    """Say all that is wrong, or read what is merely unusual."""
    try:
        draft = _decode(_draft_decoder(shape), body)
    except msgspec.ValidationError as error:
        raise faults.serialization(_type_text(error)) from None
    found = constraints.violations(shape, draft)
    if errors := [*itertools.islice(found, ERRORS)]:
        many = "error" if len(errors) == 1 else "errors"
        text = f"{len(errors)} validation {many} detected: {'; '.join(errors)}"
        raise faults.invalid(text)
    return msgspec.convert(shapes.without_nulls(msgspec.to_builtins(draft)), shape)


@functools.cache
def _draft_decoder(shape: type[msgspec.Struct]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(drafts.draft(shape))


# -- JSON -------------------------------------------------------------------------


def _decode(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """Read JSON.

    Raises:
        ValidationError: When a value is of another type; then the rest is not read.
        Fault: When it is no JSON that this server takes.
    """
    try:
        given = decoder.decode(body)
        # Members that nobody knows are skipped, and may be no UTF-8.
        if not body.isascii():
            body.decode()
    except msgspec.ValidationError:
        raise
    except UnicodeDecodeError:
        raise faults.serialization("The request is not UTF-8") from None
    except msgspec.DecodeError as error:
        text = f"The request is not JSON: {error}"
        raise faults.serialization(text) from None
    except RecursionError:
        raise _too_deep() from None
    if body.count(b"{") + body.count(b"[") > DEPTH and _is_deep(body):
        raise _too_deep()
    return given


def _too_deep() -> faults.Fault:
    return faults.serialization(f"The request is nested more than {DEPTH} levels deep")


_SQUARE = bytes.maketrans(b"{}", b"[]")
_OTHERS = bytes(set(range(256)) - set(b'[]{}"'))


def _is_deep(body: bytes) -> bool:
    """Tell whether JSON, known to be JSON, is deeper than it may be."""
    if b"\\" in body:
        body = body.replace(rb"\\", b"").replace(rb"\"", b"")
    marks = body.translate(_SQUARE, _OTHERS).replace(b'""', b"")
    brackets = b"".join(marks.split(b'"')[::2])  # what is outside of texts
    for _ in range(DEPTH):
        brackets = brackets.replace(b"[]", b"")  # the innermost level
    return bool(brackets)


#: What msgspec calls the types of JSON, and what they are to everybody else.
_TYPES = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "an integer",
    "null": "null",
    "object": "an object",
    "str": "a string",
}
_QUOTED = re.compile("`([^`]*)`")
_INDEX = re.compile(r"\[(\d+)\]")


def _type_text(error: msgspec.ValidationError) -> str:
    """Say in SWF's notation of paths what msgspec says in its own."""
    text = str(error).replace(" | null", "").replace("$.", "")
    text = _INDEX.sub(lambda found: f".{int(found[1]) + 1}.member", text)
    return _QUOTED.sub(lambda found: _TYPES.get(found[1], found[1]), text)

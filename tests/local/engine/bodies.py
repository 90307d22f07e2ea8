"""Bodies of requests, from botocore's model of SWF; and how they are refused."""

import copy
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from botocore.model import ListShape, Shape, StructureShape

from flowser.local.engine.faults import Fault
from flowser.local.engine.reading import read
from tests.support import samples

#: In place of a value: the member is left out.
MISSING: Any = object()

#: Every operation of the model.
OPERATIONS = samples.operations()


class Place(NamedTuple):
    """A value in a body: the way to it, what SWF calls that, and what belongs there.

    Tags are not required, for they may be null (swf-semantics.md section 1.1).
    """

    keys: tuple[str | int, ...]
    path: str
    shape: Shape
    required: bool


def full(operation: str) -> Any:
    """Make a body with every member, and each of the 13 decisions."""
    return samples.request(operation)


def least(operation: str) -> Any:
    """Make a body with the required members only."""
    body = full(operation)
    for place in reversed(places(operation)):
        if not place.required:
            body = changed(body, place.keys, MISSING)
    return body


def places(operation: str) -> list[Place]:
    """List the places of the full body, and what the model says of them."""
    return list(_inside(_input(operation), full(operation), (), ""))


def _input(operation: str) -> StructureShape:
    shape = samples.model().operation_model(operation).input_shape
    assert isinstance(shape, StructureShape)
    return shape


def _inside(
    shape: Shape, value: Any, keys: tuple[str | int, ...], path: str
) -> Iterator[Place]:
    if isinstance(shape, StructureShape):
        for name in value:
            required = name in shape.required_members
            place = Place((*keys, name), path + name, shape.members[name], required)
            yield place
            yield from _inside(place.shape, value[name], place.keys, f"{place.path}.")
    elif isinstance(shape, ListShape):
        for index, item in enumerate(value):
            where = f"{path}{index + 1}.member"
            required = shape.member.name != "Tag"
            yield Place((*keys, index), where, shape.member, required)
            yield from _inside(shape.member, item, (*keys, index), f"{where}.")


def at(body: Any, keys: tuple[str | int, ...]) -> Any:
    """Give what is at the end of a way."""
    for key in keys:
        body = body[key]
    return body


def changed(body: Any, keys: tuple[str | int, ...], value: Any) -> Any:
    """Copy a body, with another value in one place, or nothing there."""
    made = copy.deepcopy(body)
    *way, last = keys
    around = at(made, tuple(way))
    if value is MISSING:
        del around[last]
    else:
        around[last] = value
    return made


def refused(operation: str, body: Any) -> Fault:
    """Give the fault that a body, as bytes or to be encoded, is refused with."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(Fault) as caught:
        read(operation, raw)
    assert caught.value.status == 400
    return caught.value


def unread(operation: str, body: Any) -> str:
    """Give the message of a SerializationException."""
    fault = refused(operation, body)
    assert fault.type == "com.amazon.coral.service#SerializationException"
    return str(fault.message)


def invalid(operation: str, body: Any) -> str:
    """Give the message of a ValidationException."""
    fault = refused(operation, body)
    assert fault.type == "com.amazon.coral.validate#ValidationException"
    return str(fault.message)

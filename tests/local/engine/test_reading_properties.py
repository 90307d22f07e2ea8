"""Any bytes are read or refused; and what the client lets through is what is read."""

import json
import re
import string
import typing
from enum import StrEnum
from typing import Any

import msgspec
import pytest
from botocore.model import ListShape, Shape, StructureShape
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flowser import decisions, limits, requests
from flowser.exceptions import InvalidArgument
from flowser.local.engine.faults import Fault
from flowser.local.engine.reading import DEPTH, read
from tests.local.engine.bodies import OPERATIONS, changed, full, places
from tests.support import samples

operations = st.sampled_from(OPERATIONS)
each_operation = pytest.mark.parametrize("operation", OPERATIONS)

busy = settings(deadline=None)  # the machine may be
few = settings(deadline=None, max_examples=20)  # of each operation

FAULTS = {"UnknownOperationException", "SerializationException", "ValidationException"}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=20,
)


def outcome(operation: str, body: bytes) -> str:
    """Read, and say the name of the fault if there is one; nothing else may happen."""
    try:
        made = read(operation, body)
    except Fault as refused:
        fault = refused
    else:
        assert type(made) is requests.OPERATIONS[operation]
        return ""
    assert fault.status == 400
    assert json.loads(fault.body)["__type"] == fault.type
    assert fault.name in FAULTS
    return fault.name


@busy
@given(operations | st.text(max_size=9), st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(operation: str, body: bytes) -> None:
    outcome(operation, body)


@busy
@given(operations, st.text(alphabet='{}[]",:\\u0dn1e+-. \x00é', max_size=60))
def test_any_text_that_looks_like_json_is_read_or_refused(
    operation: str, text: str
) -> None:
    outcome(operation, text.encode())


@busy
@given(operations, JSON)
def test_any_json_is_read_or_refused(operation: str, value: Any) -> None:
    outcome(operation, json.dumps(value).encode())


@busy
@given(st.data())
def test_any_value_in_any_place_is_read_or_refused(data: st.DataObject) -> None:
    operation = data.draw(operations)
    body = full(operation)
    for _ in range(2):
        place = data.draw(st.sampled_from(places(operation)))
        try:
            body = changed(body, place.keys, data.draw(JSON))
        except (KeyError, IndexError, TypeError):  # the first was around the second
            continue
    outcome(operation, json.dumps(body).encode())


@busy
@given(st.data())
def test_any_change_of_bytes_is_read_or_refused(data: st.DataObject) -> None:
    operation = data.draw(operations)
    body = json.dumps(full(operation)).encode()
    begin = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(begin, min(len(body), begin + 4)))
    outcome(operation, body[:begin] + data.draw(st.binary(max_size=3)) + body[end:])


@busy
@given(JSON)
def test_depth_is_what_it_is(value: Any) -> None:
    """Told from the bytes alone, as from the value."""

    def depth(value: Any) -> int:
        if isinstance(value, dict):
            return 1 + max(map(depth, value.values()), default=0)
        if isinstance(value, list):
            return 1 + max(map(depth, value), default=0)
        return 0

    assume(not re.search("NaN|Infinity", json.dumps(value)))
    for _ in range(DEPTH - 1 - depth(value)):
        value = [value]
    body = {"registrationStatus": "REGISTERED", "x": value, "y": [[]] * DEPTH}
    assert outcome("ListDomains", json.dumps(body).encode()) == ""
    body["x"] = [value]
    assert outcome("ListDomains", json.dumps(body).encode()) == "SerializationException"


# -- what the model says ----------------------------------------------------------

#: Texts that are right by other rules than their length.
RULED = {
    "DurationInDays": st.integers(0, 90).map(str) | st.just("NONE"),
    "DurationInSeconds": st.integers(0, 99_999_999).map(str),
    "DurationInSecondsOptional": st.integers(1, 900).map(str),
    "TaskPriority": st.integers(-(2**31), 2**31 - 1).map(str),
    "ResourceTagKey": st.text(alphabet="Ä1 _.:/=+-@", min_size=1, max_size=128),
    "ResourceTagValue": st.text(alphabet="Ä1 _.:/=+-@", max_size=256),
}
NAMES = st.text(alphabet="aé相😀1-.#", min_size=1, max_size=64)


def right(shape: Shape) -> st.SearchStrategy[Any]:
    """Make values that the model, and its documentation, allow."""
    if isinstance(shape, StructureShape):
        return st.fixed_dictionaries(
            {name: right(shape.members[name]) for name in shape.required_members},
            optional={
                name: right(member)
                for name, member in shape.members.items()
                if name not in shape.required_members
            },
        )
    if isinstance(shape, ListShape):
        if shape.member.name == "Decision":
            return st.lists(right_decision(shape.member), max_size=5)
        return st.lists(right(shape.member), max_size=5)
    return RULED[shape.name] if shape.name in RULED else plain(shape)


def plain(shape: Shape) -> st.SearchStrategy[Any]:
    bounds = shape.metadata
    if shape.type_name == "string" and "enum" in bounds:
        return st.sampled_from(bounds["enum"])
    if shape.type_name == "string" and bounds.get("min") == 1:
        return NAMES
    return {
        "string": st.text(max_size=64),
        "integer": st.integers(bounds.get("min", 0), bounds.get("max", 0)),
        "boolean": st.booleans(),
        "timestamp": st.integers(0, 2**32) | st.floats(0, 2**32),
    }[shape.type_name]


def right_decision(shape: Any) -> st.SearchStrategy[Any]:
    def of(kind: str) -> st.SearchStrategy[Any]:
        member = decisions.member(kind)
        attributes = right(shape.members[member])
        return st.fixed_dictionaries(
            {"decisionType": st.just(kind), member: attributes}
        )

    return st.sampled_from([*decisions.DECISIONS]).flatmap(of)


@each_operation
@few
@given(st.data())
def test_what_the_model_allows_is_read(operation: str, data: st.DataObject) -> None:
    model = samples.model().operation_model(operation)
    body = data.draw(right(model.input_shape))
    made = read(operation, json.dumps(body).encode())
    assert read(operation, json.dumps(body, ensure_ascii=False).encode()) == made
    assert read(operation, msgspec.json.encode(made)) == made


# -- what the client thinks of it -------------------------------------------------

#: Texts at the edges of all rules.
TEXTS = st.sampled_from(
    [
        *("", "a", "arn", "a:b", "a b", " a", "a\n", "é相😀", "\x00", "a*b", "KEEP"),
        *("NONE", "0", "1", "-1", "90", "91", "900", "901", "99999999", "100000000"),
        *("2147483647", "2147483648", "-2147483648", "-2147483649", "1.0", "007"),
        *("x" * n for size in (64, 128, 256, 1_024, 1_600) for n in (size, size + 1)),
        *("x" * n for size in (2_048, 32_768) for n in (size, size + 1)),
    ]
)


def any_value(hint: Any) -> st.SearchStrategy[Any]:
    """Make values of the right types, most of them right."""
    kind, _ = limits.bare(hint)
    if typing.get_origin(kind) is tuple:
        item = any_value(typing.get_args(kind)[0])
        return st.lists(item, max_size=6).map(tuple)
    if kind is decisions.Wrapped:
        some = st.sampled_from([*decisions.DECISIONS.values()]).flatmap(any_value)
        return some.map(decisions.wrapped)
    if issubclass(kind, msgspec.Struct):
        return shape(kind)
    if issubclass(kind, StrEnum):
        return st.sampled_from([*kind]) | TEXTS
    if kind is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    return {
        int: st.sampled_from([0, 1, 1_000, -1, 1_001]),
        bool: st.booleans(),
        str: TEXTS | st.text(alphabet=string.printable + "\x80é", max_size=8),
    }[kind]


def shape(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(kind, include_extras=True)
    members = {
        field.name: any_value(hints[field.name])
        if field.required
        else st.none() | any_value(hints[field.name])
        for field in msgspec.structs.fields(kind)
    }
    return st.builds(kind, **members)


@each_operation
@few
@given(st.data())
def test_what_the_client_refuses_is_refused_and_nothing_else(
    operation: str, data: st.DataObject
) -> None:
    request = data.draw(shape(requests.OPERATIONS[operation]))
    try:
        limits.check(request)
    except InvalidArgument:
        found = outcome(operation, msgspec.json.encode(request))
        assert found == "ValidationException"
    else:
        made = read(operation, msgspec.json.encode(request))
        assert made == none_for_empty_runs(request)


def none_for_empty_runs(request: Any) -> Any:
    """The one thing that is read otherwise than it was sent (section 1.5)."""
    made = request
    if getattr(made, "run_id", None) == "":
        made = msgspec.structs.replace(made, run_id=None)
    if getattr(made, "decisions", None):
        settled = (none_for_empty_runs(each.attributes) for each in made.decisions)
        made = msgspec.structs.replace(
            made, decisions=tuple(map(decisions.wrapped, settled))
        )
    return made

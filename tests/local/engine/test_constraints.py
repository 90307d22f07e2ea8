"""Every member of every operation: what SWF says of it when it is wrong."""

import json
import typing
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from botocore.model import ListShape, StructureShape

from flowser import decisions, limits, requests
from flowser.local.engine import constraints
from flowser.local.engine.forms import DecisionType, wire
from flowser.local.engine.reading import ERRORS, read
from tests.local.engine.bodies import (
    MISSING,
    OPERATIONS,
    Place,
    changed,
    full,
    invalid,
    least,
    places,
    unread,
)

operations = pytest.mark.parametrize("operation", OPERATIONS)

#: One value of each type that JSON has.
JSON_VALUES: tuple[Any, ...] = ("text", 7, 1.5, True, [], {})

KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "timestamp": (int, float),
    "list": (list,),
    "structure": (dict,),
}


def encoded(body: Any) -> bytes:
    return json.dumps(body).encode()


def unmet(operation: str, place: Place, value: Any) -> str:
    """Put a value in a place, and give the constraint that it does not meet."""
    message = invalid(operation, changed(full(operation), place.keys, value))
    shown = "null" if value in (None, MISSING) else f"'{cut(value)}'"
    begin = (
        f"1 validation error detected: Value {shown} at '{place.path}' failed to "
        "satisfy constraint: "
    )
    assert message.startswith(begin)
    return message.removeprefix(begin)


def cut(value: Any) -> str:
    if isinstance(value, list):
        value = f"[{', '.join(value)}]"
    return value if len(str(value)) <= 256 else f"{value[:256]}..."


def of(operation: str, *, required: bool) -> list[Place]:
    return [each for each in places(operation) if each.required == required]


def strings(operation: str, *, enum: bool) -> list[Place]:
    return [
        each
        for each in places(operation)
        if each.shape.type_name == "string" and ("enum" in each.shape.metadata) == enum
    ]


@operations
def test_full_and_least_requests_are_read(operation: str) -> None:
    for body in (full(operation), least(operation)):
        made = read(operation, encoded(body))
        assert type(made) is requests.OPERATIONS[operation]
        assert made == expected(operation, body)


def expected(operation: str, body: Any) -> Any:
    """Make the request as the client would."""
    kind = requests.OPERATIONS[operation]
    if operation != "RespondDecisionTaskCompleted":
        return msgspec.convert(body, kind)
    rest = {name: value for name, value in body.items() if name != "decisions"}
    wrapped = [wrapping(each) for each in body.get("decisions", ())] or None
    return msgspec.structs.replace(
        msgspec.convert(rest, kind), decisions=wrapped and tuple(wrapped)
    )


def wrapping(raw: Any) -> decisions.Wrapped:
    kind = decisions.DECISIONS[raw["decisionType"]]
    attributes = raw[decisions.member(raw["decisionType"])]
    return decisions.wrapped(msgspec.convert(attributes, kind))


@operations
def test_required_member_that_is_missing_or_null_is_told(operation: str) -> None:
    for place in of(operation, required=True):
        assert unmet(operation, place, None) == "Member must not be null"
        if isinstance(place.keys[-1], str):
            assert unmet(operation, place, MISSING) == "Member must not be null"


@operations
def test_member_that_may_be_missing_may_be_null(operation: str) -> None:
    for place in of(operation, required=False):
        if place.path.endswith("DecisionAttributes"):
            continue  # required by its type: see test_forms
        null, missing = (
            read(operation, encoded(changed(full(operation), place.keys, nothing)))
            for nothing in (None, MISSING)
        )
        assert null == missing


@operations
def test_text_that_is_too_long_is_told(operation: str) -> None:
    for place in strings(operation, enum=False):
        most = place.shape.metadata.get("max")
        if most is not None:  # priorities have none
            expected = f"Member must have length less than or equal to {most}"
            assert unmet(operation, place, "1" * (most + 1)) == expected


@operations
def test_text_that_is_too_short_is_told(operation: str) -> None:
    for place in strings(operation, enum=False):
        if place.shape.metadata.get("min"):
            expected = "Member must have length greater than or equal to 1"
            assert unmet(operation, place, "") == expected


@operations
def test_value_that_is_not_in_the_enumeration_is_told(operation: str) -> None:
    for place in strings(operation, enum=True):
        choices = place.shape.metadata["enum"]
        if place.shape.name == "DecisionType":
            assert set(DecisionType) == set(choices)
            choices = list(DecisionType)
        expected = f"Member must satisfy enum value set: [{', '.join(choices)}]"
        assert unmet(operation, place, "KEEP") == expected


@operations
def test_list_that_is_too_long_is_told(operation: str) -> None:
    for place in places(operation):
        if isinstance(place.shape, ListShape) and (most := place.shape.metadata):
            expected = f"Member must have length less than or equal to {most['max']}"
            assert unmet(operation, place, ["t"] * (most["max"] + 1)) == expected


@operations
def test_number_that_is_out_of_bounds_is_told(operation: str) -> None:
    for place in places(operation):
        if place.shape.type_name == "integer":
            bounds = place.shape.metadata
            for value, words in (
                (bounds["max"] + 1, f"less than or equal to {bounds['max']}"),
                (bounds["min"] - 1, f"greater than or equal to {bounds['min']}"),
            ):
                expected = f"Member must have value {words}"
                assert unmet(operation, place, value) == expected


@operations
def test_value_of_another_type_is_a_serialization_exception(operation: str) -> None:
    for place in places(operation):
        for value in JSON_VALUES:
            if type(value) in KINDS[place.shape.type_name]:
                continue
            message = unread(operation, changed(full(operation), place.keys, value))
            assert message.endswith(f" - at {place.path}")


@operations
def test_all_that_is_wrong_is_told_at_once(operation: str) -> None:
    body = full(operation)
    wrong = [*strings(operation, enum=False), *strings(operation, enum=True)]
    for place in wrong:
        body = changed(body, place.keys, "x" * 32_769)
    message = invalid(operation, body)
    assert message.count("failed to satisfy constraint") == min(len(wrong), ERRORS)
    many = (
        "1 validation error " if len(wrong) == 1 else f"{len(wrong)} validation errors "
    )
    assert message.startswith(many)
    assert all(f" at '{place.path}' failed" in message for place in wrong)


def test_every_rule_has_a_sentence() -> None:
    rules = {
        type(rule) if isinstance(rule, tuple) else rule
        for request in requests.OPERATIONS.values()
        for rule in rules_of(wire(request))
    }
    assert rules == constraints.SENTENCES.keys()


def rules_of(hint: Any) -> Iterator[Any]:
    kind, rules = limits.bare(hint)
    yield from rules
    if typing.get_origin(kind) is tuple:
        yield from rules_of(typing.get_args(kind)[0])
    elif issubclass(kind, msgspec.Struct):
        for inner in typing.get_type_hints(kind, include_extras=True).values():
            yield from rules_of(inner)


def test_the_model_has_no_constraints_of_other_kinds() -> None:
    """Patterns, say, which would be told in other words."""
    for operation in OPERATIONS:
        for place in places(operation):
            if not isinstance(place.shape, StructureShape):
                assert place.shape.metadata.keys() <= {"min", "max", "enum"}

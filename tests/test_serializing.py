"""Payloads: nothing is lost on the way there and back, and nothing is run."""

import asyncio
import dataclasses
import math
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, TypedDict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowser import serializing
from flowser.exceptions import SerializationError
from flowser.serializing import JSON, JSONSerializer, Serializer


@dataclasses.dataclass
class Picture:
    name: str
    width: int = 200


class Frame(msgspec.Struct):
    picture: str
    at: datetime


class Point(TypedDict):
    x: int
    y: int


class Colour(Enum):
    RED = "red"


class Hexadecimal:
    """A serializer as a user writes one: whole numbers in base 16."""

    def dumps(self, value: Any, /) -> str:
        return hex(value)

    def loads(self, text: str, /, type: Any = Any) -> Any:
        return int(text, 16)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=20,
)


@given(PLAIN)
def test_plain_objects_come_back_as_they_were(value: Any) -> None:
    assert JSON.loads(JSON.dumps(value)) == value


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (Picture("a", 1), Picture, '{"name":"a","width":1}'),
        (
            Frame("a", datetime(2020, 1, 2, tzinfo=UTC)),
            Frame,
            '{"picture":"a","at":"2020-01-02T00:00:00Z"}',
        ),
        ({"x": 1, "y": 2}, Point, '{"x":1,"y":2}'),
        (Decimal("1.10"), Decimal, '"1.10"'),
        (uuid.UUID(int=1), uuid.UUID, '"00000000-0000-0000-0000-000000000001"'),
        (date(2020, 1, 2), date, '"2020-01-02"'),
        (timedelta(minutes=1), timedelta, '"PT60S"'),
        (Colour.RED, Colour, '"red"'),
        (b"\x00\xff", bytes, '"AP8="'),
        ((1, 2), tuple[int, int], "[1,2]"),
        ({1}, set[int], "[1]"),
        ([Picture("a")], list[Picture], '[{"name":"a","width":200}]'),
        (None, int | None, "null"),
    ],
)
def test_typed_values_are_json_that_reads_back_as_the_type(
    value: Any, kind: Any, text: str
) -> None:
    assert JSON.dumps(value) == text
    assert JSON.loads(text, kind) == value


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "wrap", [lambda x: x, lambda x: [1, {"a": (x,)}], lambda x: {"null": x}]
)
def test_number_that_json_cannot_carry_is_refused(number: float, wrap: Any) -> None:
    with pytest.raises(SerializationError, match="no NaN or infinity: pass None"):
        JSON.dumps(wrap(number))


@pytest.mark.parametrize("value", [None, [None, 1.5], "null", {"null": 0.0}])
def test_null_is_not_taken_for_a_bad_number(value: Any) -> None:
    assert JSON.loads(JSON.dumps(value)) == value


def test_object_that_json_does_not_know_is_refused_by_its_type() -> None:
    with pytest.raises(SerializationError, match="a payload of type object"):
        JSON.dumps(object())


def test_endless_object_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(SerializationError):
        JSON.dumps(endless)


def test_text_with_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(SerializationError):
        JSON.dumps("\ud800")


@pytest.mark.parametrize("text", ["", "{", "nul", "[1,]", "'a'", "\ud800"])
def test_text_that_is_no_json_is_refused_without_its_content(text: str) -> None:
    with pytest.raises(SerializationError) as refused:
        JSON.loads(text)
    assert refused.value.subject == f"a payload of {len(text)} characters"


def test_json_too_deep_to_read_is_refused() -> None:
    with pytest.raises(SerializationError):
        JSON.loads("[" * 16_000 + "]" * 16_000)


def test_payload_of_another_type_says_where_it_departs() -> None:
    with pytest.raises(SerializationError, match=r"JSON of type Picture.*width"):
        JSON.loads('{"name": "a", "width": "wide"}', Picture)


def test_any_json_is_read_when_no_type_is_said() -> None:
    assert JSON.loads('{"a": [1, null]}') == {"a": [1, None]}


@pytest.mark.parametrize("serializer", [JSON, JSONSerializer(), Hexadecimal()])
def test_serializer_keeps_the_contract(serializer: Serializer) -> None:
    assert isinstance(serializer, Serializer)
    text = serializer.dumps(255)
    assert isinstance(text, str)
    assert serializer.loads(text) == serializer.loads(text, int) == 255


def test_serializer_in_effect_is_json_unless_another_is_put_there() -> None:
    other = Hexadecimal()
    assert serializing.current() is JSON
    with pytest.raises(KeyError), serializing.using(other):
        assert serializing.current() is other
        raise KeyError
    assert serializing.current() is JSON


async def test_serializer_in_effect_belongs_to_its_own_task() -> None:
    async def look() -> Serializer:
        return serializing.current()

    with serializing.using(Hexadecimal()):
        async with asyncio.TaskGroup() as group:
            inside = group.create_task(look())
    assert isinstance(inside.result(), Hexadecimal)
    assert await look() is JSON

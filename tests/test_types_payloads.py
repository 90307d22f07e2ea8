"""What payloads are read into: the serializer, and the types of ``run``."""

import dataclasses
import functools
import gc
import typing
import weakref
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from flowser import serializing
from flowser.exceptions import InvalidArgument, SerializationError
from flowser.types import Activity, Type
from tests.declared import Album, Resize, Upper, UpperPhotos, offline

if typing.TYPE_CHECKING:
    from fractions import Fraction


@dataclasses.dataclass
class Picture:
    name: str
    width: int


class Frame(msgspec.Struct):
    at: datetime
    price: Decimal


class Shout(Activity):
    name = "Shout"
    version = "1.0"
    task_list = "shouts"
    serializer = Upper()


class Typed(Activity):
    name = "Typed"
    version = "1.0"
    task_list = "typed"

    async def run(self, input: Picture) -> list[Frame]:
        return []


def test_serializer_of_the_type_wins_over_the_domains() -> None:
    task = Shout(offline())
    assert Shout.schedule("hey", activity_id="a").input == "HEY"
    assert task.dumps("hey") == "HEY"
    assert task.load_input("HEY") == task.load_result("HEY") == "hey"
    assert Shout(offline(UpperPhotos)).dumps("é") == "É"


def test_serializer_of_the_domain_serves_types_without_one() -> None:
    task = Resize(offline(UpperPhotos))
    assert task.dumps("hey") == "HEY"
    assert task.load_input("HEY") == "hey"
    with serializing.using(Upper()):
        assert Resize.schedule("hey", activity_id="a").input == "HEY"


def test_payload_of_none_is_no_payload() -> None:
    assert Resize(offline()).dumps(None) is None
    assert Resize.dump(None) is None


def test_payloads_are_decoded_into_what_run_is_annotated_with() -> None:
    typed = Typed(offline())
    assert typed.load_input('{"name":"a","width":1}') == Picture("a", 1)
    (frame,) = typed.load_result('[{"at":"2020-01-02T00:00:00Z","price":"1.10"}]')
    assert frame.price == Decimal("1.10")
    assert frame.at.tzinfo is not None
    with pytest.raises(SerializationError, match="Picture"):
        typed.load_input('{"name":"a"}')


def test_types_that_are_set_win_over_annotations() -> None:
    class Loose(Typed):
        input_type = dict[str, Any]
        result_type = Any

    loose = Loose(offline())
    assert loose.load_input('{"name":"a"}') == {"name": "a"}
    assert loose.load_result("[1]") == [1]


def test_payloads_without_types_are_plain_objects() -> None:
    class Untyped(Resize):
        def run(self, input):  # type: ignore[no-untyped-def]
            return input

    assert Untyped(offline()).load_input("[1]") == [1]
    assert Album(offline()).load_result('{"a":1}') == {"a": 1}


def test_input_is_what_the_first_parameter_is_annotated_with_and_no_later_one() -> None:
    class Later(Resize):
        async def run(self, input, width: int = 3) -> list[int]:  # type: ignore[no-untyped-def]
            return [width]

    later = Later(offline())
    assert later.load_input('"text"') == "text"
    assert later.load_result("[1]") == [1]
    with pytest.raises(SerializationError):
        later.load_result('"text"')


def test_static_and_class_methods_are_read_like_methods() -> None:
    class Static(Resize):
        @staticmethod
        def run(input: Picture) -> int:
            return input.width

    class Classy(Resize):
        @classmethod
        async def run(cls, input: Picture) -> int:
            return input.width

    for kind in (Static, Classy):
        made = kind(offline())
        assert made.load_input('{"name":"a","width":1}') == Picture("a", 1)
        assert made.load_result("3") == 3
        with pytest.raises(SerializationError):
            made.load_result('"three"')


def test_handler_without_parameters_takes_any_input() -> None:
    class Careless(Resize):
        def run(self) -> int:
            return 1

    assert Careless(offline()).load_input("[1]") == [1]


def test_annotation_that_cannot_be_resolved_names_the_remedy() -> None:
    class Unresolved(Resize):
        async def run(self, input: "Fraction") -> int:
            return 1

    with pytest.raises(InvalidArgument, match=r"'Fraction'.*import it at run time, or"):
        Unresolved(offline()).load_input("1")
    with pytest.raises(InvalidArgument) as refused:
        Unresolved(offline()).load_result("1")
    assert refused.value.argument == "Unresolved.run"
    assert "set input_type and result_type" in refused.value.remedy

    class Resolved(Unresolved):
        input_type = int
        result_type = int

    assert Resolved(offline()).load_input("1") == 1


@pytest.mark.parametrize("annotation", ["msgspec.Missing", "1 +", "int[str]"])
def test_annotation_that_fails_otherwise_is_refused_likewise(annotation: str) -> None:
    """It is evaluated as code is, and code may fail in any way."""

    async def run(self: Any, input: Any) -> int:
        return 1

    run.__annotations__["input"] = annotation
    odd = type("Odd", (Resize,), {"run": run})
    with pytest.raises(InvalidArgument, match=r"^Odd\.run .*cannot be resolved"):
        odd(offline()).load_input("1")


def test_handler_whose_annotations_cannot_be_read_is_refused_likewise() -> None:
    class Partial(Resize):
        run = functools.partialmethod(lambda self, width, input: width, 3)

    with pytest.raises(InvalidArgument, match="set input_type and result_type"):
        Partial(offline()).load_input("1")


def test_subclass_has_types_of_its_own() -> None:
    class Narrow(Typed):
        input_type = dict[str, Any]

    given = '{"name":"a","width":1}'
    assert Typed(offline()).load_input(given) == Picture("a", 1)
    assert Narrow(offline()).load_input(given) == {"name": "a", "width": 1}


def test_type_that_nobody_uses_is_forgotten() -> None:
    """A program that makes types as it runs must not grow."""

    def made() -> weakref.ref[type[Type]]:
        class Passing(Resize):
            async def run(self, input: Picture) -> int:
                return input.width

        assert Passing(offline()).load_result("1") == 1
        return weakref.ref(Passing)

    gone = made()
    gc.collect()
    assert gone() is None

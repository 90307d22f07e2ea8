"""The models are botocore's service-2.json: nothing missing, misspelt or extra."""

import types
import typing
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import pytest
from botocore.model import ListShape, Shape, StringShape, StructureShape

from flowser import decisions, events, exceptions, limits, requests, results, shapes
from tests.support import samples

MODEL = samples.model()

#: Shapes of digits, which flowser bounds by value rather than by length.
NUMBERS = {
    "DurationInDays",
    "DurationInSeconds",
    "DurationInSecondsOptional",
    "TaskPriority",
}

#: Where flowser is other than the model, and why.
DIFFERENCES = {
    # SWF sends 0 on the first task; moto leaves it out, and 0 is what it means.
    "PollForDecisionTask.previousStartedEventId: default 0, not None",
}


def structure(name: str) -> StructureShape:
    shape = MODEL.shape_for(name)
    assert isinstance(shape, StructureShape)
    return shape


def differences(shape: Shape | None, hint: Any, path: str) -> Iterator[str]:
    """Say where an annotation departs from a shape of the model."""
    hint, rules = bare(hint)
    if isinstance(shape, StructureShape):
        yield from struct_differences(shape, hint, path)
    elif isinstance(shape, ListShape):
        if typing.get_origin(hint) not in {tuple, list}:
            yield f"{path}: {hint} is no list"
        elif shape.member.name not in {"Decision", "HistoryEvent"}:
            item = typing.get_args(hint)[0]
            yield from differences(shape.member, item, f"{path}[]")
    elif shape is not None:
        yield from plain_differences(shape, hint, rules, path)


def bare(hint: Any) -> tuple[Any, list[Any]]:
    """Take an annotation apart: the type, without None, and its rules."""
    rules: list[Any] = []
    while True:
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin in {types.UnionType, typing.Union}:
            (hint,) = (part for part in arguments if part is not type(None))
        elif origin is Annotated:
            hint, rules = arguments[0], [*rules, *arguments[1:]]
        else:
            return hint, rules


def struct_differences(shape: StructureShape, hint: Any, path: str) -> Iterator[str]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(hint)}
    hints = typing.get_type_hints(hint, include_extras=True)
    for name in fields.keys() - shape.members.keys():
        yield f"{path}.{name}: not in the model"
    for name, member in shape.members.items():
        where = f"{path}.{name}"
        if (field := fields.get(name)) is None:
            yield f"{where}: missing"
            continue
        if field.required != (name in shape.required_members):
            yield f"{where}: required is {field.required}"
        if not field.required and field.default is not None:
            yield f"{where}: default {field.default}, not None"
        yield from differences(member, hints[field.name], where)


def plain_differences(
    shape: Shape, hint: Any, rules: list[Any], path: str
) -> Iterator[str]:
    if isinstance(shape, StringShape) and path.startswith(("->", "event ")):
        expected: set[Any] = {str}  # what SWF says is not judged
    elif isinstance(shape, StringShape):
        yield from string_differences(shape, hint, rules, path)
        return
    else:
        time = datetime if path.startswith(("->", "event ")) else float
        kinds = {"integer": int, "long": int, "boolean": bool, "timestamp": time}
        expected = {kinds[shape.type_name]}
    if hint not in expected:
        yield f"{path}: {hint} for {shape.type_name}"


def string_differences(
    shape: StringShape, hint: Any, rules: list[Any], path: str
) -> Iterator[str]:
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max")
    if choices := shape.metadata.get("enum"):
        if not issubclass(hint, StrEnum) or list(hint) != choices:
            yield f"{path}: {hint} for {choices}"
    elif hint is not str:
        yield f"{path}: {hint} for a string"
    elif shape.name in NUMBERS:
        (rule,) = rules
        if not isinstance(rule, limits.Number) or len(str(rule.maximum)) > (most or 11):
            yield f"{path}: {rule} for {shape.name}"
    else:
        rule = rules[0] if rules else None
        if not isinstance(rule, limits.Text | limits.Identifier):
            yield f"{path}: no limits, but {shape.metadata}"
        elif (rule.minimum, rule.maximum) != (least, most):
            yield f"{path}: {rule}, but {shape.metadata}"


def test_operations_are_those_of_the_model() -> None:
    assert requests.OPERATIONS.keys() == set(MODEL.operation_names)
    assert len(requests.OPERATIONS) == 39


@pytest.mark.parametrize("operation", MODEL.operation_names)
def test_request_has_the_members_and_limits_of_the_model(operation: str) -> None:
    shape = MODEL.operation_model(operation).input_shape
    assert list(differences(shape, requests.OPERATIONS[operation], operation)) == []


@pytest.mark.parametrize("operation", MODEL.operation_names)
def test_result_has_the_members_of_the_model(operation: str) -> None:
    shape = MODEL.operation_model(operation).output_shape
    kind = requests.answer(requests.OPERATIONS[operation])
    if shape is None:
        assert kind is results.Nothing
    found = {line[2:] for line in differences(shape, kind, f"->{operation}")}
    assert found <= DIFFERENCES


def test_documented_differences_are_all_there_are() -> None:
    """An exception that is no longer needed must go."""
    found = {
        line[2:]
        for operation in MODEL.operation_names
        for line in differences(
            MODEL.operation_model(operation).output_shape,
            requests.answer(requests.OPERATIONS[operation]),
            f"->{operation}",
        )
    }
    assert found == DIFFERENCES


def test_decisions_are_those_of_the_model() -> None:
    shape = structure("Decision")
    assert list(decisions.DECISIONS) == shape.members["decisionType"].metadata["enum"]
    assert len(decisions.DECISIONS) == 13
    for name, kind in decisions.DECISIONS.items():
        member = f"{name[0].lower()}{name[1:]}DecisionAttributes"
        assert list(differences(shape.members[member], kind, name)) == []


def test_decision_is_wrapped_by_its_type_and_member() -> None:
    """The closed set of members leaves no room for a misspelt one."""
    shape = structure("Decision")
    members = set(shape.members) - {"decisionType"}
    written = {
        name: msgspec.to_builtins(decisions.wrapped(msgspec.convert(raw, kind)))
        for name, kind in decisions.DECISIONS.items()
        for raw in [{m: samples_value(m) for m in required(kind)}]
    }
    assert {w.pop("decisionType") for w in written.values()} == set(written)
    assert {name for w in written.values() for name in w} == members


def required(kind: type[msgspec.Struct]) -> list[str]:
    return [f.encode_name for f in msgspec.structs.fields(kind) if f.required]


def samples_value(member: str) -> Any:
    typed = {"name": "n", "version": "1"}
    return typed if member.endswith("Type") else "1"


def test_events_are_those_of_the_model() -> None:
    shape = structure("HistoryEvent")
    kinds = shape.members["eventType"].metadata["enum"]
    assert set(events.ATTRIBUTES) == set(events.EVENTS) == set(kinds)
    assert len(kinds) == 54
    assert {events.member(kind) for kind in kinds} == {
        name for name in shape.members if name.endswith("Attributes")
    }


@pytest.mark.parametrize("kind", sorted(events.EVENTS))
def test_event_has_the_members_of_the_model(kind: str) -> None:
    whole, own = structure("HistoryEvent"), events.member(kind)
    fields = {f.encode_name: f for f in msgspec.structs.fields(events.EVENTS[kind])}
    assert fields.keys() - {"-"} == {"eventId", "eventTimestamp", own}
    attributes = events.ATTRIBUTES[kind]
    assert fields[own].type is attributes
    assert list(differences(whole.members[own], attributes, f"event {kind}")) == []


@pytest.mark.parametrize(
    ("name", "enum"),
    [
        ("ChildPolicy", shapes.ChildPolicy),
        ("RegistrationStatus", shapes.RegistrationStatus),
        ("ExecutionStatus", shapes.ExecutionStatus),
        ("CloseStatus", shapes.CloseStatus),
    ],
)
def test_enumeration_is_that_of_the_model(name: str, enum: type[StrEnum]) -> None:
    assert list(enum) == MODEL.shape_for(name).metadata["enum"]


def test_timeout_types_are_those_of_the_model() -> None:
    kinds = ("ActivityTask", "WorkflowExecution", "DecisionTask", "LambdaFunction")
    known = {
        value
        for kind in kinds
        for value in MODEL.shape_for(f"{kind}TimeoutType").metadata["enum"]
    }
    assert known == set(shapes.TimeoutType)


def test_each_fault_of_the_model_is_an_exception() -> None:
    faults = {shape.name for shape in MODEL.error_shapes}
    assert len(faults) == 11
    for fault in faults:
        kind = exceptions.SERVICE_ERRORS[fault]
        assert kind.__name__ == fault
        assert getattr(exceptions, fault) is kind
    named = {k for k in vars(exceptions) if k.endswith("Fault")}
    assert named == faults


class Misspelt(shapes.Shape):
    """An activity type with three faults."""

    versoin: limits.Version
    name: limits.Version | None = None


def test_comparison_itself_sees_what_is_wrong() -> None:
    found = "\n".join(differences(structure("ActivityType"), Misspelt, "type"))
    assert "type.versoin: not in the model" in found
    assert "type.version: missing" in found
    assert "type.name: required is False" in found
    assert "type.name: Identifier(maximum=64" in found

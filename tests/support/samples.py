"""Requests and answers with every member set, made from botocore's model of SWF.

Strings tell where they stand, so that members which change places are seen.
"""

import functools
import zlib
from typing import Any

import botocore.session
from botocore.model import ListShape, ServiceModel, Shape, StructureShape

_STRINGS = {
    "DurationInDays": "30",
    "DurationInSeconds": "300",
    "DurationInSecondsOptional": "300",
    "TaskPriority": "-7",
}
_SENT = 1504871454
_ANSWERED = 1504871454.307


@functools.cache
def model() -> ServiceModel:
    """Load botocore's model of SWF."""
    return botocore.session.get_session().get_service_model("swf")


def operations() -> list[str]:
    """Name the 39 operations."""
    return list(model().operation_names)


def request(operation: str) -> dict[str, Any]:
    """Make a request with every member set, and each of the 13 decisions in it."""
    filled: dict[str, Any] = _full(model().operation_model(operation).input_shape)
    return filled


def answer(operation: str) -> dict[str, Any] | None:
    """Make an answer with every member set, and each of the 54 events in it."""
    shape = model().operation_model(operation).output_shape
    return None if shape is None else _full(shape, time=_ANSWERED)


def _full(shape: Shape | None, path: str = "", time: float = _SENT) -> Any:
    assert shape is not None
    if isinstance(shape, StructureShape):
        return {
            name: _full(member, f"{path}.{name}", time)
            for name, member in shape.members.items()
        }
    if isinstance(shape, ListShape):
        if shape.member.name in {"HistoryEvent", "Decision"}:
            return _one_of_each(shape.member, path, time)
        return [_full(shape.member, f"{path}.{index}", time) for index in range(2)]
    number = zlib.crc32(path.encode()) % 1000 + 1
    plain = {"integer": number, "long": number, "boolean": True, "timestamp": time}
    return (
        _string(shape, path) if shape.type_name == "string" else plain[shape.type_name]
    )


def _string(shape: Shape, path: str) -> str:
    if choices := shape.metadata.get("enum"):
        return str(choices[0])
    most = shape.metadata.get("max", 256)
    # What a Data takes, so that both sides agree on more than ASCII.
    text = f"{path} ☃ é" if shape.name == "Data" else path.lstrip(".")
    return _STRINGS.get(shape.name, text[-most:])


def _one_of_each(shape: Shape, path: str, time: float) -> list[dict[str, Any]]:
    """Make one structure for each type, with the attributes of that type only."""
    assert isinstance(shape, StructureShape)
    kind = "eventType" if shape.name == "HistoryEvent" else "decisionType"
    suffix = "EventAttributes" if kind == "eventType" else "DecisionAttributes"
    filled = _full_members(shape, path, time)
    made = []
    for index, name in enumerate(shape.members[kind].metadata["enum"], 1):
        where = f"{name[0].lower()}{name[1:]}{suffix}"
        common = {k: v for k, v in filled.items() if not k.endswith("Attributes")}
        common |= {"eventId": index} if "eventId" in common else {}
        made.append(common | {kind: name, where: filled[where]})
    return made


def _full_members(shape: StructureShape, path: str, time: float) -> dict[str, Any]:
    return {
        name: _full(member, f"{path}.{name}", time)
        for name, member in shape.members.items()
    }

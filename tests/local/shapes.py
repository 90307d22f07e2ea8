"""Compares answers with botocore's model of SWF, which is none of ours."""

import functools
from typing import Any

from botocore.model import ServiceModel
from botocore.session import get_session

_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "boolean": (bool,),
    "timestamp": (int, float),
    "list": (list,),
    "structure": (dict,),
}

#: An empty poll leaves out what it has not got (swf-semantics.md section 2.1).
_EMPTY = {"startedEventId", "previousStartedEventId"}


@functools.cache
def model() -> ServiceModel:
    """The model, as botocore has it."""
    return get_session().get_service_model("swf")


def conforming(operation: str, answer: dict[str, Any], *, newer: bool = False) -> None:
    """Assert that an answer has no unknown, missing or wrongly typed member.

    Args:
        operation: Of which it is the answer.
        answer: As it came over the wire.
        newer: Whether members that the model does not know are no error.
    """
    shape = model().operation_model(operation).output_shape
    if shape is None:
        assert not answer, operation
    elif not (operation.startswith("PollFor") and set(answer) <= _EMPTY):
        _check(shape, answer, operation, newer=newer)


def _check(shape: Any, value: Any, path: str, *, newer: bool) -> None:
    right = isinstance(value, _KINDS[shape.type_name])
    assert right, (path, value)
    assert shape.type_name == "boolean" or not isinstance(value, bool), (path, value)
    if shape.type_name == "list":
        for index, item in enumerate(value):
            _check(shape.member, item, f"{path}[{index}]", newer=newer)
    elif shape.type_name == "structure":
        missing = set(shape.required_members) - set(value)
        assert not missing, (path, missing)
        for name, member in value.items():
            assert newer or name in shape.members, (path, name)
            if name in shape.members:
                _check(shape.members[name], member, f"{path}.{name}", newer=newer)
    elif shape.type_name == "string" and shape.enum:
        assert value in shape.enum, (path, value)

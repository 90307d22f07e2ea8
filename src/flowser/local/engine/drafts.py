"""Requests as they may come: of the right JSON types, but nothing else is certain.

A draft of a shape has its members, under its names. Each may be missing, null, too
long, or no member of its enumeration; so a draft can be read where the shape cannot,
and what is wrong with it be told.

Source:
    swf-semantics.md sections 1.1, 1.2 and 1.4.
"""

import functools
import types
import typing
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from flowser import limits

#: What Java calls an Integer; more is no value of that type.
_INTEGER = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]


@functools.cache
def draft(shape: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """Make the draft of a shape.

    Args:
        shape: A request, or a shape in one.

    Returns:
        A class whose members are those of the shape, by its own names.
    """
    hints = typing.get_type_hints(shape, include_extras=True)
    members = [
        (
            field.name,
            _loose(hints[field.name]),
            msgspec.field(default=None, name=field.encode_name),
        )
        for field in msgspec.structs.fields(shape)
    ]
    return msgspec.defstruct(f"{shape.__name__}Draft", members, omit_defaults=True)


def _loose(hint: Any) -> Any:
    """Turn an annotation into one that knows JSON types only, and takes null."""
    kind, _ = limits.bare(hint)
    if typing.get_origin(kind) is tuple:
        kind = types.GenericAlias(list, (_loose(typing.get_args(kind)[0]),))
    elif issubclass(kind, msgspec.Struct):
        kind = draft(kind)
    elif issubclass(kind, StrEnum):
        kind = str
    elif kind is int:
        kind = _INTEGER
    return kind | None

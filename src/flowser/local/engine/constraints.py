"""The constraints of SWF's model: whether a request meets them, and what SWF says.

The limits stand in :mod:`flowser.limits`, and nowhere else: the plans of this module
are made of the annotations that name them. Here are only the sentences.

Source:
    swf-semantics.md sections 1.4 and 1.5.
"""

import functools
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from flowser import limits

#: How much of a value an error shows. SWF's own measure, if any, is not known; this
#: keeps the answer to a request from being longer than the request.
_SHOWN = 256

#: How many characters the model gives to a duration.
_DIGITS = 8


class _Member(NamedTuple):
    """A member of a shape: its name, that on the wire, and what it has to be."""

    name: str
    path: str
    required: bool
    hint: Any


@functools.cache
def _members(shape: type[msgspec.Struct]) -> tuple[_Member, ...]:
    hints = typing.get_type_hints(shape, include_extras=True)
    return tuple(
        _Member(field.name, field.encode_name, field.required, hints[field.name])
        for field in msgspec.structs.fields(shape)
    )


# -- whether ----------------------------------------------------------------------

_Check = Callable[[Any], None]


class _Unmet(Exception):
    """A constraint is not met."""


def met(shape: msgspec.Struct) -> bool:
    """Tell whether a shape meets its constraints.

    Args:
        shape: Read by its own type, so that no type and no enumeration is in doubt.
    """
    try:
        _members_check(type(shape))(shape)
    except _Unmet:
        return False
    return True


@functools.cache
def _members_check(shape: type[msgspec.Struct]) -> _Check:
    plan = [
        (member.name, check)
        for member in _members(shape)
        for check in _checks(member.hint)
    ]

    def check_members(given: Any) -> None:
        for name, check in plan:
            value = getattr(given, name)
            if value is not None:
                check(value)

    return check_members


def _checks(hint: Any) -> Iterator[_Check]:
    """Turn an annotation into the checks that its values may fail."""
    kind, rules = limits.bare(hint)
    for rule in rules:
        if not isinstance(rule, limits.OneOf):
            yield _rule_check(rule)
    if typing.get_origin(kind) is tuple:
        yield _items_check([*_checks(typing.get_args(kind)[0])])
    elif issubclass(kind, msgspec.Struct):
        yield _members_check(kind)


def _rule_check(rule: limits.Rule) -> _Check:
    if isinstance(rule, limits.Text):
        return _length_check(rule.minimum, rule.maximum)

    def check(value: Any) -> None:
        if rule(value):
            raise _Unmet

    if isinstance(rule, limits.Most):
        return check
    # The same names and durations come again and again. Only what is right is kept,
    # which is short.
    return functools.lru_cache(maxsize=1_024)(check)


def _length_check(least: int, most: int) -> _Check:
    """Do what the rule does, without looking for words."""

    def check(value: str) -> None:
        if not least <= len(value) <= most:
            raise _Unmet

    return check


def _items_check(checks: list[_Check]) -> _Check:
    def check_items(items: Any) -> None:
        for item in items:
            for check in checks:
                check(item)

    return check_items


# -- what -------------------------------------------------------------------------


def violations(
    shape: type[msgspec.Struct], draft: msgspec.Struct, path: str = ""
) -> Iterator[str]:
    """Say which constraints are not met, as SWF does.

    Args:
        shape: The class of what should have come.
        draft: What came; see :mod:`~.drafts`.
        path: Where it stands, with a dot behind: ``decisions.1.member.``.
    """
    for member in _members(shape):
        value = getattr(draft, member.name)
        if value is not None:
            yield from _value(member.hint, value, path + member.path)
        elif member.required:
            yield _null(path + member.path)


def _value(hint: Any, value: Any, path: str) -> Iterator[str]:
    kind, rules = limits.bare(hint)
    for rule in rules:
        if rule(value):
            kind_of_rule = type(rule) if isinstance(rule, tuple) else rule
            sentence = SENTENCES[kind_of_rule](rule, value)
            yield _violation(f"'{_shown(value)}'", path, sentence)
    if typing.get_origin(kind) is tuple:
        yield from _items(typing.get_args(kind)[0], value, path)
    elif issubclass(kind, msgspec.Struct):
        yield from violations(kind, value, f"{path}.")


def _items(hint: Any, items: Sequence[Any], path: str) -> Iterator[str]:
    may_be_null = hint == limits.Tag  # the quirk of section 1.1
    for number, item in enumerate(items, 1):
        where = f"{path}.{number}.member"
        if item is not None:
            yield from _value(hint, item, where)
        elif not may_be_null:
            yield _null(where)


def _null(path: str) -> str:
    return _violation("null", path, "Member must not be null")


def _violation(value: str, path: str, sentence: str) -> str:
    return f"Value {value} at '{path}' failed to satisfy constraint: {sentence}"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        items = ("null" if item is None else str(item) for item in value)
        value = f"[{', '.join(items)}]"
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


# -- sentences --------------------------------------------------------------------


def _length(rule: limits.Text | limits.Identifier, value: str) -> str:
    if len(value) > rule.maximum:
        return f"Member must have length less than or equal to {rule.maximum}"
    return f"Member must have length greater than or equal to {rule.minimum}"


def _name(rule: limits.Identifier, value: str) -> str:
    if not rule.minimum <= len(value) <= rule.maximum:
        return _length(rule, value)
    ends = ", nor begin or end with whitespace" if rule.stripped else ""
    return f"Member must not be arn, nor contain : / | or control characters{ends}"


def _number(rule: limits.Number, value: str) -> str:
    if not value:
        # The model lets some durations be empty, and does not say what that means: it
        # is refused, as the client does.
        return "Member must have length greater than or equal to 1"
    if rule.minimum >= 0 and len(value) > _DIGITS:
        return f"Member must have length less than or equal to {_DIGITS}"
    none = f", or {limits.NONE}" if rule.unlimited else ""
    between = f"between {rule.minimum} and {rule.maximum}"
    return f"Member must be an integer {between}{none}"


def _size(rule: limits.Size, value: int) -> str:
    if value > rule.maximum:
        return f"Member must have value less than or equal to {rule.maximum}"
    return "Member must have value greater than or equal to 0"


def _most(rule: limits.Most, _value: list[Any]) -> str:
    return f"Member must have length less than or equal to {rule.items}"


def _one_of(rule: limits.OneOf, _value: str) -> str:
    return f"Member must satisfy enum value set: [{', '.join(rule.enum)}]"


def _tag(_rule: limits.Rule, _value: str) -> str:
    return "Member must have letters, digits, whitespace and _ . : / = + - @ only"


#: What SWF says when a rule is broken, by the kind of the rule. What it says of
#: characters and of numbers in strings is not known: those sentences are ours.
SENTENCES: dict[Any, Callable[[Any, Any], str]] = {
    limits.Text: _length,
    limits.Identifier: _name,
    limits.Number: _number,
    limits.Size: _size,
    limits.Most: _most,
    limits.OneOf: _one_of,
    limits.tag_characters: _tag,
}

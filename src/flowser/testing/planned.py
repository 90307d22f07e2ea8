"""One thing that is to go wrong, and the calls it waits for."""

from collections.abc import Awaitable, Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, TypedDict

import msgspec

from flowser import requests
from flowser.exceptions import InvalidArgument
from flowser.local.protocol import Answer


class Call(NamedTuple):
    """A request on its way.

    Attributes:
        operation: Of the 39: ``"PollForActivityTask"``.
        params: Its parameters, as they go over the wire.
        headers: Of HTTP.
        patience: Seconds that the client waits for an answer; None for ever.
        answer: Carries it to SWF, each time it is called.
    """

    operation: str
    params: Mapping[str, Any]
    headers: Mapping[str, str]
    patience: float | None
    answer: Callable[[], Awaitable[Answer]]


#: Does what goes wrong with a call: gives an answer, or raises as aiohttp does.
Act = Callable[[Call], Awaitable[Answer]]


#: Tells whether an answer is one of those that are counted.
Brings = Callable[[Call, Answer], bool]


class Which(TypedDict, total=False):
    """Which calls go wrong; see :class:`Faults`."""

    nth: int
    times: int | None
    where: Mapping[str, Any] | None


class Planned:
    """Something that is to go wrong, once or several times.

    Attributes:
        happened: How often it did.
    """

    def __init__(
        self, what: str, pattern: str, act: Act, brings: Brings | None, which: Which
    ) -> None:
        """See :class:`Faults`; *brings* lets answers be counted instead of calls."""
        self.happened = 0
        self._what = what
        self._pattern = pattern
        self._act = act
        self._brings = brings
        self._nth = which.get("nth", 1)
        self._times = which.get("times", 1)
        self._where = which.get("where") or {}
        self._came = 0
        self._check()

    def __repr__(self) -> str:
        where = f" where {dict(self._where)}" if self._where else ""
        calls = f"{self._pattern}{where}, from number {self._nth} on"
        return f"<{self._what} {calls}: {self._came} came, {self.happened} went wrong>"

    @property
    def pending(self) -> bool:
        """Whether it is still to happen, or to happen more often."""
        return self.happened < (self._times or 1)

    async def through(self, call: Call, onward: Callable[[], Awaitable[Answer]]) -> Any:
        """Let a call go wrong, or go on."""
        wrong = self._brings is None and self._matches(call) and self._due()
        return await (self._act(call._replace(answer=onward)) if wrong else onward())

    async def back(self, call: Call, answer: Answer) -> Answer:
        """Let an answer go wrong, or go back."""
        if self._brings is None or not self._matches(call):
            return answer
        wrong = self._brings(call, answer) and self._due()
        return await self._act(call) if wrong else answer

    def _matches(self, call: Call) -> bool:
        if self.happened == self._times:
            return False
        named = fnmatchcase(call.operation, self._pattern)
        return named and _within(self._where, call.params)

    def _due(self) -> bool:
        self._came += 1
        due = self._came >= self._nth
        self.happened += due
        return due

    def _check(self) -> None:
        """Refuse a plan that cannot come true."""
        named = [o for o in requests.OPERATIONS if fnmatchcase(o, self._pattern)]
        if not named:
            problem = f"is {self._pattern!r}, and there is none"
            remedy = "give one of SWF's, such as PollForActivityTask, or a pattern"
            raise InvalidArgument("operation", problem, remedy)
        if self._nth < 1:
            raise InvalidArgument("nth", f"is {self._nth}", "the first call is 1")
        if self._times is not None and self._times < 1:
            remedy = "give 1 or more, or None for all"
            raise InvalidArgument("times", f"is {self._times}", remedy)
        for name in self._where:
            _check_member(name, named)


def _check_member(name: str, operations: list[str]) -> None:
    members = {
        field.encode_name
        for operation in operations
        for field in msgspec.structs.fields(requests.OPERATIONS[operation])
    }
    if name not in members:
        remedy = f"there are {', '.join(sorted(members)) or 'none'}"
        raise InvalidArgument("where", f"has a parameter {name!r}", remedy)


def _within(part: Any, whole: Any) -> bool:
    """Tell whether all that is in a part is in the whole, too."""
    if not isinstance(part, Mapping):
        return bool(part == whole)
    return isinstance(whole, Mapping) and all(
        name in whole and _within(value, whole[name]) for name, value in part.items()
    )

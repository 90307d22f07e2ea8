"""Which calls through the proxy go wrong, and how.

Source: reliability.md, section 4.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from tests.support.answers import (
    Fault,
    expired_token,
    internal_failure,
    limit_exceeded,
    throttled,
)
from tests.support.http import header, json_answer

Kind = Literal[
    "lost",
    "cut",
    "truncjson",
    "status",
    "throttle",
    "limit",
    "expired",
    "dup",
    "slow",
    "refuse",
]

_HTML = b"<html><body><h1>Service Unavailable</h1></body></html>"

_FAULTS: dict[Kind, Callable[[], Fault]] = {
    "throttle": throttled,
    "limit": limit_exceeded,
    "expired": expired_token,
}


@dataclass
class Rule:
    """Which calls go wrong, and how.

    Attributes:
        pattern: A glob over operations: ``PollFor*``.
        kind: See `FaultingProxy.fault`.
        times: How many more calls; None is for ever.
        after: How many calls pass unharmed first.
    """

    pattern: str
    kind: Kind
    times: int | None = 1
    after: int = 0
    status: int = 500
    html: bool = False
    gate: asyncio.Event | None = None

    def takes(self, operation: str) -> bool:
        """Whether this call is one that goes wrong; counts it if so."""
        if self.times == 0 or not fnmatchcase(operation, self.pattern):
            return False
        if self.after:
            self.after -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass(frozen=True)
class Answered:
    """An answer of the real server: head and body, as bytes."""

    head: bytes
    body: bytes

    @property
    def whole(self) -> bytes:
        """All of it, verbatim."""
        return self.head + self.body

    @property
    def half(self) -> bytes:
        """The head and half of the body; of an answer without one, half the head."""
        if not self.body:
            return self.head[: len(self.head) // 2]
        return self.head + self.body[: len(self.body) // 2]

    @property
    def truncated(self) -> bytes:
        """A complete answer with half the body."""
        return json_answer(200, self.body[: len(self.body) // 2])

    @property
    def last(self) -> bool:
        """Whether the server closes the connection after it."""
        return header(self.head, b"connection").lower() == b"close"


def planted(rule: Rule) -> bytes | None:
    """Build the answer that a rule gives in place of the real server's.

    Returns:
        A whole HTTP message, or nothing if the rule lets the call go through.
    """
    if rule.kind == "status":
        if rule.html:
            return json_answer(rule.status, _HTML, "text/html")
        return json_answer(rule.status, internal_failure(rule.status).body)
    if rule.kind in _FAULTS:
        fault = _FAULTS[rule.kind]()
        return json_answer(fault.status, fault.body)
    return None

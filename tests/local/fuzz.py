"""Requests that are nearly right, by a seed."""

import functools
import json
import random
from typing import Any, NamedTuple

from multidict import CIMultiDict

from tests.local.engine import bodies
from tests.local.raw import JSON, TARGET

_TEXTS = [
    "",
    " ",
    "a",
    "arn",
    "NONE",
    "0",
    "-1",
    "1",
    "99999999999",
    "1e3",
    "\u0661",
    "a:b/c|d",
    "\x00\x1f\x7f\x9f",
    "\u2028\u2029\ufeff",
    "\U0001f600",
    "x" * 300,
    "x" * 40_000,
    "../../etc/passwd",
    "'; DROP TABLE runs; --",
    "%s%n{0}",
]
_VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    -(2**64),
    10**400,
    1e308,
    0.5,
    [],
    {},
    [[]],
    [None],
    {"": ""},
    {"name": "a"},
    {"name": "a", "version": "1"},
    {"oldestDate": 1e300},
    {"oldestDate": -1e300, "latestDate": 0},
    [{}] * 20,
    *_TEXTS,
]
_WRITTEN = list(map(json.dumps, _VALUES))  # each use makes it anew
_PIECES = [
    b"\x00",
    b"\xff",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"\\u0000",
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b",",
    b":",
    b"\\",
    b"null",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"[" * 200,
    b'{"a":' * 200,
    b"//",
]
_SCOPE = "AWS4-HMAC-SHA256 Credential=A/20261126/eu-west-1/swf/aws4_request"
_SIGNED = "SignedHeaders=host;x-amz-date;x-amz-target"
_HEADERS = {
    "X-Amz-Target": [
        "",
        "ListDomains",
        f"{TARGET}__init__",
        f"{TARGET}PollForDecisionTask",
        "com.amazonaws.swf.service.model.SimpleWorkflowService.ListDomains",
    ],
    "Content-Type": ["", "text/plain", "application/json; charset=UTF-8", ";", "\t"],
    "Content-Encoding": ["amz-1.0", "gzip", "deflate, gzip", "\u00e9"],
    "Host": ["", "example.com", "[::1]", "[", "a@b", "127.0.0.1:x", "localhost:99999"],
    "Origin": ["null", "", "http://localhost", "\udcff"],
    "Authorization": [
        "",
        _SCOPE,
        _SCOPE.replace("eu-west-1", "x" * 99),
        f"{_SCOPE}, {_SIGNED}, Signature={'0' * 64}",
        f"{_SCOPE}, {_SIGNED}, Signature=x",
        "Basic \udcff",
    ],
    "X-Amz-Date": ["", "20261126T120000Z", "\u0661", "99999999T999999Z"],
    "Expect": ["100-continue", "x"],
    "Connection": ["close", "Upgrade", "keep-alive"],
    "Upgrade": ["websocket", "h2c"],
    "Content-Length": ["0", "1", "-1", "x", "99999999999"],
    "Transfer-Encoding": ["chunked", "gzip", "x"],
}


class Request(NamedTuple):
    """What is sent."""

    operation: str
    headers: CIMultiDict[str]
    body: bytes


class Fuzzer:
    """Makes requests from good ones."""

    def __init__(self, seed: int, good: list[tuple[str, bytes]]) -> None:
        """Begin at a seed.

        Args:
            seed: The same one gives the same requests.
            good: Operations and bodies that the server knows what to do with.
        """
        self._chance = random.Random(seed)
        self._kinds = [good, good, models()]

    def request(self) -> Request:
        """Make the next one."""
        operation, body = self._chance.choice(self._chance.choice(self._kinds))
        headers = CIMultiDict(
            {
                "Host": "localhost",
                "Content-Type": JSON,
                "X-Amz-Target": TARGET + operation,
            }
        )
        kind = self._chance.random()
        if kind < 0.6:
            body = self._other_values(body)
        elif kind < 0.9:
            body = self.other_bytes(body)
        if self._chance.random() < 0.2:
            self._change_headers(headers)
        return Request(operation, headers, body)

    def _other_values(self, body: bytes) -> bytes:
        members = json.loads(body)
        for _ in range(self._chance.choice([1, 1, 1, 2, 5])):
            self._change_value(members)
        return json.dumps(members).encode()

    def _change_value(self, within: Any) -> None:
        """Change one value somewhere in an object or a list."""
        key = self._place(within)
        while key is not None and self._chance.random() < 0.7:
            inner = within[key]
            below = self._place(inner)
            if below is None:
                break
            within, key = inner, below
        self._change_at(within, key)

    def _place(self, within: Any) -> Any:
        if isinstance(within, dict) and within:
            return self._chance.choice(list(within))
        if isinstance(within, list) and within:
            return self._chance.randrange(len(within))
        return None

    def _change_at(self, within: Any, key: Any) -> None:
        how = self._chance.randrange(8)
        if key is None:
            return
        if how == 0:
            del within[key]
        elif how == 1 and isinstance(within, dict):
            within[self._chance.choice(_TEXTS)] = within.pop(key)
        elif how == 2 and isinstance(within, list):
            within += [within[key]] * self._chance.choice([1, 2, 6, 60])
        elif how == 3 and isinstance(within[key], str):
            within[key] = within[key] + self._chance.choice(_TEXTS)
        else:
            within[key] = json.loads(self._chance.choice(_WRITTEN))

    def other_bytes(self, data: bytes) -> bytes:
        """Change some bytes."""
        for _ in range(self._chance.choice([1, 1, 2, 8])):
            begin = self._chance.randrange(len(data) + 1)
            end = min(len(data), begin + self._chance.choice([0, 1, 1, 4, 40]))
            piece = self._chance.choice(
                [
                    b"",
                    self._chance.choice(_PIECES),
                    self._chance.randbytes(self._chance.choice([1, 4])),
                    data[begin:end] * 2,
                ]
            )
            data = data[:begin] + piece + data[end:]
        return data

    def _change_headers(self, headers: CIMultiDict[str]) -> None:
        for _ in range(self._chance.choice([1, 1, 2, 4])):
            name = self._chance.choice(list(_HEADERS))
            how = self._chance.randrange(3)
            if how == 0:
                headers.popall(name, None)
            elif how == 1:
                headers[name] = self._chance.choice(_HEADERS[name])
            else:
                old = headers.get(name, "x").encode(errors="surrogateescape")
                changed = self.other_bytes(old).decode(errors="surrogateescape")
                headers[name] = changed


@functools.cache
def models() -> list[tuple[str, bytes]]:
    """Make bodies of all operations: with every member, and with the required ones."""
    return [
        (operation, json.dumps(made(operation)).encode())
        for operation in bodies.OPERATIONS
        for made in (bodies.full, bodies.least)
    ]

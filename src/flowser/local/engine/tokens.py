"""Task tokens and page tokens: opaque, and good only for what they were made for.

A token is a few numbers and a keyed digest of 128 bits over them, so that it cannot
be guessed, and survives a restart without being stored. The key is the store's.

Source:
    swf-semantics.md sections 1.1 and 11; reliability.md section 5.
"""

import binascii
import hashlib
import hmac
import struct
from typing import NamedTuple

import msgspec

from flowser.local.engine import faults

_DIGEST = 16
_TASK = struct.Struct(">cQII")


class TaskToken(NamedTuple):
    """What a task token says.

    Attributes:
        kind: "activity" or "decision".
        run: The number of the run.
        scheduled_id: The event that scheduled the task.
        started_id: The event that handed it out.
    """

    kind: str
    run: int
    scheduled_id: int
    started_id: int


class PageToken(NamedTuple):
    """What a page token says.

    Attributes:
        scope: What it belongs to: the operation and whatever narrows its answer.
        issued_at: Milliseconds since 1970.
        position: Where the next page begins.
    """

    scope: str
    issued_at: int
    position: tuple[int | str, ...]


class Tokens:
    """Makes tokens, and reads its own."""

    def __init__(self, key: bytes) -> None:
        """Take the key: 32 random bytes."""
        self._keyed = hashlib.blake2s(key=key, digest_size=_DIGEST)

    def task(self, token: TaskToken) -> str:
        """Write a task token."""
        kind = token.kind[0].encode()
        return self._sealed(
            _TASK.pack(kind, token.run, token.scheduled_id, token.started_id)
        )

    def read_task(self, text: str, kind: str) -> TaskToken:
        """Read a task token of this kind.

        Raises:
            Fault: When it is garbage, or a token of the other kind.
        """
        data = self._opened(text)
        if len(data) != _TASK.size or data[:1] != kind[0].encode():
            raise faults.invalid_token()
        _, run, scheduled_id, started_id = _TASK.unpack(data)
        return TaskToken(kind, run, scheduled_id, started_id)

    def page(self, token: PageToken) -> str:
        """Write a page token."""
        # A digest of the scope: names may be long, a page token has 2,048 characters.
        scope = hashlib.blake2s(token.scope.encode(), digest_size=_DIGEST).hexdigest()
        return self._sealed(msgspec.json.encode(token._replace(scope=scope)))

    def read_page(self, text: str, scope: str, oldest: int) -> tuple[int | str, ...]:
        """Read where the next page of this scope begins.

        Args:
            text: The token.
            scope: What the request narrows its answer to.
            oldest: Tokens issued before this time have expired.

        Raises:
            Fault: When it is garbage, expired, or of another request.
        """
        try:
            token = msgspec.json.decode(self._opened(text), type=PageToken)
        except msgspec.DecodeError:
            raise faults.invalid_token() from None
        wanted = hashlib.blake2s(scope.encode(), digest_size=_DIGEST).hexdigest()
        if token.scope != wanted:
            raise faults.invalid_token()
        if token.issued_at < oldest:
            text = "Specified token has exceeded its maximum lifetime"
            raise faults.invalid(text)
        return token.position

    def _sealed(self, data: bytes) -> str:
        raw = self._digest(data) + data
        return binascii.b2a_base64(raw, newline=False).decode()

    def _opened(self, text: str) -> bytes:
        try:
            raw = binascii.a2b_base64(text, strict_mode=True)
        except (binascii.Error, ValueError):
            raise faults.invalid_token() from None
        digest, data = raw[:_DIGEST], raw[_DIGEST:]
        if not hmac.compare_digest(digest, self._digest(data)):
            raise faults.invalid_token()
        return data

    def _digest(self, data: bytes) -> bytes:
        digest = self._keyed.copy()  # takes half the time of a new one
        digest.update(data)
        return digest.digest()

"""What a run writes into its own history, for itself to read again.

All of it is JSON with the member ``fv``, the format's version, so that what is written
today can be told from what a later flowser writes. A run says its version once, with
the execution context of its first decision, which costs no event.

- control of a child, a signal, a cancel request: ``{"fv": 1, "id": "2.1"}``
- details of a marker: ``{"fv": 1, "id": "2.1", "kind": "step", ...}``
- execution context: ``{"fv": 1, "status": ...}``
- input of a retried activity: one more member, ``"@flowser"``; see :func:`spliced`

Source:
    dx.md section 1.1 (SDK logic flags); swf-semantics.md sections 1.5 and 9.2.
"""

from typing import Any, Literal

import msgspec

#: The version that is written; histories of a higher one are not replayed.
FORMAT = 1

#: The member of an input that tells a retried activity of the attempt before.
MEMBER = "@flowser"

#: How much an input may have; what does not fit beside it is not told.
_MOST = 32_768

_Kind = Literal["step", "patch", "mark"]

_encode = msgspec.json.Encoder().encode


class Note(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is in ``control`` and in the details of markers.

    Attributes:
        fv: The version of the format.
        id: The number of the operation; the name of a patch.
        kind: What a marker is for; None in ``control``.
        name: The name of a step.
        label: What an author called an operation, for human readers.
        value: What a step returned, or what the author recorded.
        failure: What a step raised.
    """

    fv: int = 0
    id: str = ""
    kind: _Kind | None = None
    name: str | None = None
    label: str | None = None
    value: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    failure: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Context(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is in the execution context.

    Attributes:
        fv: The version of the format.
        status: What the author set.
    """

    fv: int = 0
    status: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Attempt(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a retried activity is told.

    Attributes:
        fv: The version of the format.
        attempt: 2 for the first retry.
        details: The last heartbeat's details of the attempt before.
    """

    fv: int = 0
    attempt: int = 1
    details: str | None = None


_notes = msgspec.json.Decoder(Note)
_contexts = msgspec.json.Decoder(Context)


def note(id: str, **members: Any) -> str:
    """Write a note; what is JSON already goes through :func:`raw`."""
    return _encode(Note(fv=FORMAT, id=id, **members)).decode()


def raw(text: str | None) -> msgspec.Raw | msgspec.UnsetType:
    """Put JSON into a note as it is; None leaves the member out."""
    return msgspec.UNSET if text is None else msgspec.Raw(text.encode())


def text(raw: msgspec.Raw | msgspec.UnsetType) -> str | None:
    """Take JSON out of a note; None when it is not there."""
    return None if raw is msgspec.UNSET else bytes(raw).decode()


def read_note(text: str | None) -> Note | None:
    """Read a note; None when it is somebody else's text."""
    try:
        found = _notes.decode(text or "")
    except (msgspec.MsgspecError, RecursionError):
        return None
    return found if found.fv else None


def context(status: str | None) -> str:
    """Write an execution context; *status* is JSON already."""
    return _encode(Context(fv=FORMAT, status=raw(status))).decode()


def read_context(text: str | None) -> Context:
    """Read an execution context; an empty one when it is somebody else's text."""
    try:
        return _contexts.decode(text or "")
    except (msgspec.MsgspecError, RecursionError):
        return Context()


def spliced(input: str | None, attempt: int, details: str | None) -> str | None:
    """Tell a retried activity of the attempt before, in its input.

    A poll gives an activity nothing else that a decider could write (not ``control``).
    Only objects can take one more member; details that would make the input too long
    are left out.
    """
    if input is None or details is None or not input.startswith("{"):
        return input
    told = _encode(Attempt(fv=FORMAT, attempt=attempt, details=details)).decode()
    head = f'{{"{MEMBER}":{told}'
    rest = input[1:].lstrip()
    longer = head + rest if rest.startswith("}") else f"{head},{rest}"
    return longer if len(longer) <= _MOST else input

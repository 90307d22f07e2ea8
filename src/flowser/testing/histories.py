"""Histories in files, as ``aws swf get-workflow-execution-history`` prints them.

Written are time stamps as numbers, as they go over the wire and as version 1 of the AWS
CLI prints them; read is also version 2's ISO 8601.

Source:
    swf-semantics.md sections 1.1 and 4.
"""

import json
from collections.abc import AsyncIterable, Iterable, Mapping
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any

import msgspec

from flowser import events
from flowser.events import Event
from flowser.exceptions import InvalidArgument
from flowser.executions import WorkflowExecution

#: What a history can be saved from.
Source = (
    WorkflowExecution
    | AsyncIterable[Event]
    | Iterable[Event]
    | Iterable[Mapping[str, Any]]
)

_SAVE = (
    "save it anew by save_history(), or by `aws swf get-workflow-execution-history "
    "--output json`"
)


async def save_history(source: Source, path: str | PathLike[str]) -> None:
    """Write a history to a file.

    ::

        await save_history(handle, "tests/histories/order-7.json")

    Args:
        source: The handle of an execution, its history, or events; those of a plain
            client are taken, too.
        path: The file, which is overwritten.

    Raises:
        InvalidArgument: When the events are not a whole history.
        OSError: When the file cannot be written.
    """
    if isinstance(source, WorkflowExecution):
        source = source.history()
    if isinstance(source, AsyncIterable):
        source = [event async for event in source]
    _write(Path(path), [_plain(event) for event in source])


def load_history(path: str | PathLike[str]) -> list[Event]:
    """Read a history from a file.

    Args:
        path: What :func:`save_history` wrote, or either version of the AWS CLI, in
            either order.

    Returns:
        The events, event 1 first.

    Raises:
        InvalidArgument: When that is no history; names the file, and says what to do.
    """
    name = str(path)
    found = _content(name)
    if isinstance(found, dict):
        for token in ("nextToken", "nextPageToken"):
            if found.get(token):
                remedy = "save it anew without --max-items and --no-paginate"
                raise InvalidArgument(name, f"ends with a {token}", remedy)
        found = found.get("events")
    if not isinstance(found, list) or not found:
        raise InvalidArgument(name, "has no events", _SAVE)
    read = [_event(name, number, raw) for number, raw in enumerate(found, 1)]
    if read[0].id > read[-1].id:
        read.reverse()  # as --reverse-order prints
    _check_order(name, [event.id for event in read])
    return read


def _plain(event: Event | Mapping[str, Any]) -> dict[str, Any]:
    """Give an event as it goes over the wire."""
    if isinstance(event, Mapping):
        return dict(event)
    return {
        "eventId": event.id,
        "eventTimestamp": event.time_stamp,
        "eventType": event.type,
        events.member(event.type): msgspec.to_builtins(event.attributes),
    }


def _write(path: Path, plain: list[dict[str, Any]]) -> None:
    if plain and plain[0].get("eventId") != 1:
        plain.reverse()  # a history with the newest event first
    _check_order("source", [event.get("eventId") for event in plain])
    if not plain:
        raise InvalidArgument("source", "has no events", "give those of an execution")
    text = json.dumps({"events": plain}, indent=4, ensure_ascii=False, default=_stamp)
    path.write_text(f"{text}\n", "utf-8")


def _stamp(value: Any) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    kind = type(value).__name__
    raise InvalidArgument("source", f"has a {kind} in it", "give a history's events")


def _content(name: str) -> Any:
    try:
        return json.loads(Path(name).read_bytes())
    except FileNotFoundError as error:
        raise InvalidArgument(name, "is not there", _SAVE) from error
    except (ValueError, RecursionError) as error:  # also of text that is no Unicode
        raise InvalidArgument(name, f"is no JSON: {error}", _SAVE) from error


def _event(name: str, number: int, raw: Any) -> Event:
    where = f"{name} (event {number} of the file)"
    if not isinstance(raw, dict):
        raise InvalidArgument(where, "is no JSON object", _SAVE)
    try:
        event = events.event(raw)
    except (msgspec.ValidationError, TypeError) as error:
        raise InvalidArgument(where, f"is no event: {error}", _SAVE) from error
    if event.time_stamp.tzinfo is None:
        raise InvalidArgument(where, "has a time without an offset to UTC", _SAVE)
    stamp = event.time_stamp.astimezone(UTC)
    return msgspec.structs.replace(event, time_stamp=stamp)


def _check_order(name: str, ids: list[Any]) -> None:
    for expected, id in enumerate(ids, 1):
        if id != expected:
            problem = f"has event {id} where {expected} belongs"
            raise InvalidArgument(name, problem, "give a whole history, from event 1")

r"""Histories in files, as ``aws swf get-workflow-execution-history`` prints them.

Written are time stamps as numbers, as they go over the wire and as version 1 of the AWS
CLI prints them; read is also version 2's ISO 8601. A history does not say whose it is;
so there is one more member, ``execution``, with both ids, on which ``flow.random()``
and ``flow.info()`` depend. A file without it is as good to workflows that ask for
neither.

From production, with the AWS CLI, where ``jq`` adds the ids::

    aws swf get-workflow-execution-history --domain shop --output json \
        --execution workflowId=o-7,runId=22K... \
      | jq '.execution = {workflowId: "o-7", runId: "22K..."}' > o-7.json

Source:
    swf-semantics.md sections 1.1 and 4.
"""

import json
import textwrap
from collections.abc import AsyncIterable, Iterable, Mapping
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from flowser import events, shapes
from flowser.events import Event
from flowser.exceptions import InvalidArgument
from flowser.executions import WorkflowExecution

#: A history: a file, the answers of a plain client, or events in a list.
History = (
    str
    | PathLike[str]
    | Mapping[str, Any]
    | Iterable[Event]
    | Iterable[Mapping[str, Any]]
)

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


class Saved(NamedTuple):
    """A history, and whose it is.

    Attributes:
        name: What it is called in errors: its path.
        events: Event 1 first.
        execution: Whose it is; None when that was not saved.
    """

    name: str
    events: list[Event]
    execution: shapes.WorkflowExecution | None


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
    execution = None
    if isinstance(source, WorkflowExecution):
        execution = await source.ids()
        source = WorkflowExecution(execution, source.caller).history()
    if isinstance(source, AsyncIterable):
        source = [event async for event in source]
    _write(Path(path), [plain(event) for event in source], execution)


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
    return read(path).events


def read(history: History) -> Saved:
    """Read a history, and whose it is.

    Args:
        history: A file; what a plain client answered, as one page or as a list of all
            of them; or a list of events.

    Raises:
        InvalidArgument: When that is no history; says what to do.
    """
    if isinstance(history, str | PathLike):
        return _saved(str(history), _content(str(history)))
    if isinstance(history, AsyncIterable):
        remedy = "give [event async for event in it]"
        raise InvalidArgument("history", "is to be awaited", remedy)
    whole = isinstance(history, Mapping) or not isinstance(history, Iterable)
    return _saved("history", history if whole else list(history))


def _saved(name: str, found: Any) -> Saved:
    pages = found if isinstance(found, list) and _is_page(found[:1]) else [found]
    last, execution = pages[-1], None
    if isinstance(last, Mapping):
        for token in ("nextToken", "nextPageToken"):
            if last.get(token):
                remedy = "save it anew without --max-items and --no-paginate"
                raise InvalidArgument(name, f"ends with a {token}", remedy)
        execution = _execution(name, pages[0].get("execution"))
    found = [event for page in pages for event in _listed(name, page)]
    read = [_event(name, number, raw) for number, raw in enumerate(found, 1)]
    if read[0].id > read[-1].id:
        read.reverse()  # as --reverse-order prints
    _check_order(name, [event.id for event in read])
    return Saved(name, read, execution)


def _is_page(first: list[Any]) -> bool:
    return any(isinstance(each, Mapping) and "events" in each for each in first)


def _listed(name: str, page: Any) -> list[Any]:
    found = page.get("events") if isinstance(page, Mapping) else page
    if not isinstance(found, list) or not found:
        raise InvalidArgument(name, "has no events", _SAVE)
    return found


def _execution(name: str, found: Any) -> shapes.WorkflowExecution | None:
    if found is None:
        return None
    try:
        return msgspec.convert(found, shapes.WorkflowExecution)
    except msgspec.ValidationError as error:
        problem = f"has an execution that is none: {error}"
        remedy = 'write {"workflowId": "...", "runId": "..."}'
        raise InvalidArgument(name, problem, remedy) from error


def plain(event: Event | Mapping[str, Any]) -> dict[str, Any]:
    """Give an event as it goes over the wire."""
    if isinstance(event, Mapping):
        return dict(event)
    return {
        "eventId": event.id,
        "eventTimestamp": event.time_stamp,
        "eventType": event.type,
        events.member(event.type): msgspec.to_builtins(event.attributes),
    }


def _write(
    path: Path,
    plain: list[dict[str, Any]],
    execution: shapes.WorkflowExecution | None,
) -> None:
    if plain and plain[0].get("eventId") != 1:
        plain.reverse()  # a history with the newest event first
    _check_order("source", [event.get("eventId") for event in plain])
    if not plain:
        raise InvalidArgument("source", "has no events", "give those of an execution")
    whole: dict[str, Any] = {"events": plain}
    if execution is not None:
        whole = {"execution": msgspec.to_builtins(execution)} | whole
    text = json.dumps(whole, indent=4, ensure_ascii=False, default=_stamp)
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
    except OSError as error:  # a folder, or a text that is no path
        shown = textwrap.shorten(name, 200)
        problem = f"cannot be read: {error.strerror}"
        remedy = "give the path of a file, or what json.loads() makes of a text"
        raise InvalidArgument(shown, problem, remedy) from error
    except (ValueError, RecursionError) as error:  # also of text that is no Unicode
        raise InvalidArgument(name, f"is no JSON: {error}", _SAVE) from error


def _event(name: str, number: int, raw: Any) -> Event:
    if isinstance(raw, Event):
        return raw
    where = f"{name} (event {number} of the file)"
    if not isinstance(raw, Mapping):
        raise InvalidArgument(where, "is no JSON object", _SAVE)
    try:
        event = events.event(dict(raw))
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

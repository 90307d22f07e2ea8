"""Opaque tokens, and the pages of a history.

Source: swf-semantics.md, sections 2.3 and 2.4.
"""

import base64
from typing import Any

import msgspec

from tests.support.answers import Refused, invalid

Params = dict[str, Any]

MAX_PAGE = 1000


def encode(value: object) -> bytes:
    """Encode as JSON."""
    return msgspec.json.encode(value)


def seal(*values: str | int | bool) -> str:
    """Make an opaque token of *values*."""
    return base64.b64encode(encode(values)).decode()


def unseal(token: object, kind: str) -> list[Any]:
    """Read a token.

    Raises:
        Refused: ValidationException "Invalid token", if it is not one of *kind*.
    """
    try:
        values = msgspec.json.decode(base64.b64decode(str(token), validate=True))
    except ValueError:
        values = None
    if not isinstance(values, list) or values[:1] != [kind]:
        raise Refused(invalid("Invalid token"))
    return values[1:]


def page(
    events: list[bytes],
    params: Params,
    ids: tuple[str, int],
    span: tuple[int, int],
    limit: int,
) -> Params:
    """Cut a page from a history.

    Args:
        events: The history, as JSON.
        params: Of the call: page size, order, token.
        ids: Run id, and the scheduled event of the decision task or 0; what a token
            for the next page is good for.
        span: First and last event of the first call; a token brings its own.
        limit: The most events in a page.

    Returns:
        ``events``, and ``nextPageToken`` unless this is the last page.
    """
    reverse = bool(params.get("reverseOrder"))
    first, last = span
    token = params.get("nextPageToken")
    if token:
        run_id, scheduled_id, was_reverse, first, last = unseal(token, "page")
        if (run_id, scheduled_id, was_reverse) != (*ids, reverse):
            raise Refused(invalid("Invalid token"))
    size = min(page_size(params), limit)
    if reverse:
        low = max(first, last - size + 1)
        chosen, rest = events[low - 1 : last][::-1], (first, low - 1)
    else:
        high = min(last, first + size - 1)
        chosen, rest = events[first - 1 : high], (high + 1, last)
    answer: Params = {"events": msgspec.Raw(b"[%b]" % b",".join(chosen))}
    if rest[0] <= rest[1]:
        answer["nextPageToken"] = seal("page", *ids, reverse, *rest)
    return answer


def page_size(params: Params) -> int:
    """Read ``maximumPageSize``; 0 and nothing mean the most there is."""
    size = params.get("maximumPageSize") or MAX_PAGE
    if size > MAX_PAGE:
        rule = f"Member must have value less than or equal to {MAX_PAGE}"
        text = f"Value '{size}' at 'maximumPageSize' failed to satisfy constraint"
        raise Refused(invalid(f"1 validation error detected: {text}: {rule}"))
    return int(size)

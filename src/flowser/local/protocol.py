"""AWS JSON over HTTP, without a socket: headers and a body in, an answer out.

Both forms are taken, that of 2012 and that of today: the operation is what follows the
last dot of ``X-Amz-Target``, and ``Content-Encoding: amz-1.0`` is no encoding.

Source:
    swf-semantics.md sections 1.1 and 1.2; reliability.md section 5.
"""

import functools
import ipaddress
import itertools
import logging
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from multidict import istr

from flowser.local.engine import faults
from flowser.local.engine.faults import Fault
from flowser.local.service import Service
from flowser.local.signatures import Keys, region, verify

log = logging.getLogger(__name__)

#: Bytes of a request, with its headers ("Amazon SWF quotas": 1 MB).
MAX_REQUEST_BYTES = 1024 * 1024

#: Bytes that the names and values of the headers may have.
MAX_HEAD_BYTES = 32 * 1024

_JSON = "application/json"

# Names that need not be turned into lower case for each request.
_CONTENT_TYPE, _CONTENT_ENCODING = istr("Content-Type"), istr("Content-Encoding")
_TARGET, _HOST, _ORIGIN = map(istr, ("X-Amz-Target", "Host", "Origin"))

#: The types that a request may have. The answer has the same one, as of other AWS
#: services; only the older form is recorded for SWF (section 1.1).
_CONTENT_TYPES = frozenset(
    {"application/x-amz-json-1.0", "application/x-amz-json-1.1", _JSON}
)
_ENCODINGS = frozenset({"", "identity", "amz-1.0"})

_HOST_PORT = re.compile(
    r"(?:\[([0-9a-f:.]+(?:%\w+)?)\]|([\w.-]+))(?::\d*)?", re.ASCII | re.IGNORECASE
)

# Request ids are of the form of UUIDs, and never the same twice.
_PREFIX = str(uuid.uuid4())[:24]
_numbers = itertools.count(1)


class Answer(NamedTuple):
    """What goes back over HTTP."""

    status: int
    headers: dict[str, str]
    body: bytes


class Protocol:
    """Reads HTTP requests for a service, and writes its answers."""

    def __init__(
        self,
        service: Service,
        *,
        keys: Keys | None = None,
        hosts: Iterable[str] | None = None,
    ) -> None:
        """Take the service.

        Args:
            service: What answers.
            keys: Whose signature is required; anybody's will do if None.
            hosts: Names that callers know this server by, beside addresses and
                ``localhost``; None where no web page can be the caller.
        """
        self._service = service
        self._keys = keys
        self._hosts = None
        if hosts is not None:
            self._hosts = frozenset(host.lower() for host in hosts)

    async def answer(
        self,
        headers: Mapping[str, str],
        body: bytes,
        present: Callable[[], bool],
    ) -> Answer:
        """Answer a POST to ``/``.

        Args:
            headers: Of the request, without regard to upper and lower case.
            body: The whole body.
            present: Tells whether the caller is still there.
        """
        operation = headers.get(_TARGET, "").rpartition(".")[2]
        kind = _content_type(headers.get(_CONTENT_TYPE, ""))
        try:
            self._check(headers, body, kind)
            text = await self._service.call(
                operation, body, region=region(headers), present=present
            )
        except Fault as fault:
            # The message may quote the request.
            log.debug("%r: %s", operation, fault.name)
            return refusal(fault, headers)
        log.debug("%r", operation)
        return _made(200, text, kind)

    def _check(self, headers: Mapping[str, str], body: bytes, kind: str | None) -> None:
        """Refuse what no AWS client sends, and what a web page might."""
        if self._hosts is not None:
            _refuse_pages(headers, self._hosts)
        check_size(headers, len(body))
        if kind is None:
            raise faults.unknown_operation()
        if headers.get(_CONTENT_ENCODING, "").lower() not in _ENCODINGS:
            raise faults.serialization("The content encoding is not supported")
        if self._keys is not None:
            verify(self._keys, headers, body, self._service.now())


def check_size(headers: Mapping[str, str], length: int) -> None:
    """Refuse a request that is larger than SWF's, or has more headers than any.

    Args:
        headers: Of the request.
        length: Bytes of its body.

    Raises:
        Fault: When it is too large. SWF may just close the connection (section 1.2);
            an answer says more.
    """
    head = sum(map(len, headers)) + sum(map(len, headers.values()))
    if head > MAX_HEAD_BYTES:
        raise _too_large(f"The headers exceed {MAX_HEAD_BYTES} bytes", 431)
    if head + length > MAX_REQUEST_BYTES:
        raise _too_large(f"The request exceeds {MAX_REQUEST_BYTES} bytes", 413)


def _too_large(message: str, status: int) -> Fault:
    return Fault("com.amazon.coral.service#RequestEntityTooLarge", message, status)


def _refuse_pages(headers: Mapping[str, str], hosts: frozenset[str]) -> None:
    """Refuse a page of somebody's that a browser on this machine shows.

    It tells its origin; or a name in DNS was made to lead here, so that this server
    seems to be its origin.
    """
    host = headers.get(_HOST, "")
    name = _name(host)
    if name is None or (name and name not in hosts):
        raise forbidden("This Host is not served; see --allow-host")
    origin = headers.get(_ORIGIN)
    if origin is not None and origin != f"http://{host}":
        raise forbidden("Requests of web pages are refused")


@functools.lru_cache(maxsize=64)
def _name(host: str) -> str | None:
    """Read a Host: its name if DNS has a say, "" if not, None if it is none."""
    found = _HOST_PORT.fullmatch(host)
    if found is None:
        return None
    name = (found[1] or found[2]).lower()
    if name == "localhost" or name.endswith(".localhost"):
        return ""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name
    return ""


@functools.lru_cache(maxsize=64)
def _content_type(header: str) -> str | None:
    """Read a Content-Type; None if it is not one that AWS clients send."""
    found = header.partition(";")[0].strip().lower()
    return found if found in _CONTENT_TYPES else None


def forbidden(message: str) -> Fault:
    """Make the answer to whoever has no business here."""
    return Fault("com.amazon.coral.service#AccessDeniedException", message, 403)


def refusal(fault: Fault, headers: Mapping[str, str]) -> Answer:
    """Write an error.

    Args:
        fault: The error.
        headers: Of the request.
    """
    kind = _content_type(headers.get(_CONTENT_TYPE, ""))
    return _made(fault.status, fault.body, kind)


def _made(status: int, body: bytes, kind: str | None) -> Answer:
    request_id = f"{_PREFIX}{next(_numbers):012x}"
    told = {"x-amzn-RequestId": request_id, "Content-Type": kind or _JSON}
    return Answer(status, told, body)

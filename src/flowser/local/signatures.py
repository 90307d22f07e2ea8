"""AWS signatures (version 4): whose region, and whether they are right.

Source:
    AWS General Reference, "Signature Version 4 signing process"; swf-semantics.md
    section 1.1.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from multidict import istr

from flowser.local.engine.faults import Fault

#: Of callers that do not sign.
_REGION = "us-east-1"

#: A name that need not be turned into lower case for each request.
_AUTHORIZED = istr("Authorization")

_CORAL = "com.amazon.coral.service"
_SCOPE = r"Credential=([\w.+=@-]+)/(\d{8})/([a-z0-9-]{1,64})/swf/aws4_request"
_CREDENTIAL = re.compile(_SCOPE, re.ASCII)
_AUTHORIZATION = re.compile(
    rf"AWS4-HMAC-SHA256\s+{_SCOPE},\s*SignedHeaders=([a-z0-9;-]+),\s*"
    r"Signature=([0-9a-f]{64})",
    re.ASCII,
)

#: Minutes that the clocks of caller and server may differ by, as at AWS.
_SKEW = 5


class Keys(NamedTuple):
    """A key id, and its secret."""

    key_id: str
    secret: str


def region(headers: Mapping[str, str]) -> str:
    """Read the region that a request was signed for, by whomever.

    Args:
        headers: Of the request, without regard to upper and lower case.
    """
    found = _CREDENTIAL.search(headers.get(_AUTHORIZED, ""))
    return found[3] if found else _REGION


def verify(keys: Keys, headers: Mapping[str, str], body: bytes, now: int) -> None:
    """Check that a POST to ``/`` was signed with these keys, just now.

    Args:
        keys: What callers have to sign with.
        headers: Of the request, without regard to upper and lower case.
        body: The whole body.
        now: Milliseconds since 1970.

    Raises:
        Fault: When it was not.
    """
    authorization = headers.get("Authorization")
    if authorization is None:
        message = "Request is missing Authentication Token"
        raise _refused("MissingAuthenticationTokenException", message)
    found = _AUTHORIZATION.fullmatch(authorization.strip())
    if found is None:
        message = "Authorization is not of the form of AWS4-HMAC-SHA256"
        raise _refused("IncompleteSignatureException", message)
    key_id, day, place, names, signature = found.groups()
    if not hmac.compare_digest(key_id.encode(), keys.key_id.encode()):
        message = "The security token included in the request is invalid."
        raise _refused("UnrecognizedClientException", message)
    signed = names.split(";")
    _check_names(signed, headers)
    stamp = headers.get("X-Amz-Date", "")
    _check_date(stamp, day, now)
    canonical = _canonical(headers, signed, body)
    wanted = _signature(keys.secret, day, place, stamp, canonical)
    if not hmac.compare_digest(wanted, signature):
        message = "The request signature we calculated does not match the signature"
        raise _wrong(f"{message} you provided.")


def _refused(name: str, message: str) -> Fault:
    return Fault(f"{_CORAL}#{name}", message)


def _wrong(message: str) -> Fault:
    return _refused("InvalidSignatureException", message)


def _check_names(signed: list[str], headers: Mapping[str, str]) -> None:
    """Check that all is signed that says what is called, when and where."""
    wanted = [name.lower() for name in headers if name.lower().startswith("x-amz-")]
    for name in ("host", "x-amz-date", *wanted):
        if name not in signed:
            raise _wrong(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")


def _check_date(stamp: str, day: str, now: int) -> None:
    try:
        signed = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise _wrong("X-Amz-Date is no date") from None
    if day != stamp[:8]:
        raise _wrong("Date in Credential scope does not match YYYYMMDD from X-Amz-Date")
    late = (now / 1000 - signed.timestamp()) / 60
    if late > _SKEW:
        raise _wrong(f"Signature expired: {stamp} is more than {_SKEW} min. ago")
    if late < -_SKEW:
        raise _wrong(f"Signature not yet current: {stamp} is in over {_SKEW} min.")


def _canonical(headers: Mapping[str, str], signed: list[str], body: bytes) -> bytes:
    lines = [f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed]
    digest = hashlib.sha256(body).hexdigest()
    text = "\n".join(["POST", "/", "", *lines, "", ";".join(signed), digest])
    return text.encode(errors="surrogateescape")  # as they were read


def _signature(secret: str, day: str, place: str, stamp: str, canonical: bytes) -> str:
    key = f"AWS4{secret}".encode()
    for part in (day, place, "swf", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    digest = hashlib.sha256(canonical).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{day}/{place}/swf/aws4_request\n{digest}"
    return hmac.digest(key, text.encode(), "sha256").hex()

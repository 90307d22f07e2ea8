"""Whose region a request is for, and whether its signature is right."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from multidict import CIMultiDict

from flowser import _sigv4, requests, shapes, wire
from flowser._client import connect
from flowser.exceptions import ClockSkewed, InvalidCredentials
from flowser.local.engine.faults import Fault
from flowser.local.server import Server
from flowser.local.service import Service
from flowser.local.signatures import Keys, region, verify
from flowser.local.storage import Store

KEYS = Keys("AKID", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
NOON = datetime(2026, 11, 26, 12, 0, 0, tzinfo=UTC)
NOW = int(NOON.timestamp() * 1000)
URL, TARGET, BODY = "http://localhost:80", "SimpleWorkflowService.ListDomains", b"{}"
LISTING = requests.ListDomains(registration_status=shapes.RegistrationStatus.REGISTERED)

Headers = CIMultiDict[str]


class Pair(NamedTuple):
    access_key: str = KEYS.key_id
    secret_key: str = KEYS.secret
    token: str | None = None


PAIR = Pair()


def by_flowser(
    when: datetime = NOON, keys: Pair = PAIR, place: str = "eu-west-1"
) -> Headers:
    signer = _sigv4.Signer(URL, place, "swf")
    return CIMultiDict(signer.sign(keys, when, TARGET, BODY))


def by_botocore(
    when: datetime = NOON, keys: Pair = PAIR, place: str = "eu-west-1"
) -> Headers:
    headers = {
        "Content-Type": "application/json; charset=UTF-8",
        "Content-Encoding": "amz-1.0",
        "X-Amz-Target": TARGET,
        "X-Spaced": "  a   b ",
    }
    request = AWSRequest("POST", f"{URL}/", headers=headers, data=BODY)
    request.context["timestamp"] = when.strftime("%Y%m%dT%H%M%SZ")
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    if keys.token:
        request.headers["X-Amz-Security-Token"] = keys.token
    auth = SigV4Auth(Credentials(*keys), "swf", place)
    to_sign = auth.string_to_sign(request, auth.canonical_request(request))
    auth._inject_signature_to_request(request, auth.signature(to_sign, request))
    return CIMultiDict({**dict(request.headers.items()), "Host": "localhost"})


SIGNERS = pytest.mark.parametrize("sign", [by_flowser, by_botocore])
Sign = Callable[..., Headers]


def refused(headers: Headers, body: bytes = BODY, keys: Keys = KEYS) -> Fault:
    with pytest.raises(Fault) as caught:
        verify(keys, headers, body, NOW)
    assert caught.value.status == 400
    assert KEYS.secret not in str(caught.value.message)
    return caught.value


# -- signatures ---------------------------------------------------------------------


@SIGNERS
@pytest.mark.parametrize("token", [None, "session/token+=="])
@pytest.mark.parametrize("place", ["us-east-1", "cn-north-1"])
def test_what_was_signed_with_the_keys_is_right(
    sign: Sign, token: str | None, place: str
) -> None:
    headers = sign(keys=Pair(token=token), place=place)
    verify(KEYS, headers, BODY, NOW)
    assert region(headers) == place


@SIGNERS
@pytest.mark.parametrize(
    "name", ["Host", "X-Amz-Date", "X-Amz-Target", "X-Amz-Security-Token"]
)
@pytest.mark.parametrize("change", ["other", "gone"])
def test_a_header_that_is_not_what_was_signed_is_refused(
    sign: Sign, name: str, change: str
) -> None:
    headers = sign(keys=Pair(token="token"))
    if change == "gone":
        del headers[name]
    else:
        headers[name] = "20261126T115959Z" if name == "X-Amz-Date" else "other"
    assert refused(headers).name == "InvalidSignatureException"


@SIGNERS
def test_another_body_is_refused(sign: Sign) -> None:
    message = refused(sign(), b'{"x":1}').message
    assert message == (
        "The request signature we calculated does not match the signature you provided."
    )


@SIGNERS
def test_another_secret_is_refused(sign: Sign) -> None:
    fault = refused(sign(keys=Pair(secret_key="other")))
    assert fault.name == "InvalidSignatureException"


@SIGNERS
@pytest.mark.parametrize("key_id", ["OTHER", "AKI", "AKIDX", "akid"])
def test_another_key_is_refused(sign: Sign, key_id: str) -> None:
    fault = refused(sign(keys=Pair(access_key=key_id)))
    assert fault.name == "UnrecognizedClientException"
    assert fault.message == ("The security token included in the request is invalid.")


def test_who_does_not_sign_is_refused() -> None:
    headers = by_flowser()
    del headers["Authorization"]
    assert refused(headers).name == "MissingAuthenticationTokenException"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
        ("Credential=AKID/", "Credential="),
        ("Credential=AKID/", "Credential=AK\udcffID/"),
        ("Credential=AKID/", "Credential=\u0661/"),
        ("/swf/", "/s3/"),
        ("20261126", "2026112"),
        ("20261126", "\u0662\u0660\u0662\u0666\u0661\u0661\u0662\u0666"),
        ("Signature=", "Signature=0"),
        ("SignedHeaders=", ""),
        ("SignedHeaders=", "SignedHeaders=X\n"),
        ("AWS4", " \tBasic x"),
    ],
)
def test_what_is_no_signature_is_refused(old: str, new: str) -> None:
    headers = by_flowser()
    assert old in headers["Authorization"]
    headers["Authorization"] = headers["Authorization"].replace(old, new, 1)
    assert refused(headers).name == "IncompleteSignatureException"


@SIGNERS
def test_another_region_or_day_than_was_signed_is_refused(sign: Sign) -> None:
    for old, new in (("eu-west-1", "eu-west-2"), ("20261126", "20261127")):
        headers = sign()
        headers["Authorization"] = headers["Authorization"].replace(old, new)
        assert refused(headers).name == "InvalidSignatureException"


@SIGNERS
@pytest.mark.parametrize("name", ["host", "x-amz-date", "x-amz-target"])
def test_what_says_which_call_it_is_has_to_be_signed(sign: Sign, name: str) -> None:
    headers = sign()
    authorization = headers["Authorization"]
    assert name in authorization
    headers["Authorization"] = authorization.replace(name, "x-unsigned", 1)
    assert refused(headers).message == (
        f"'{name}' must be a 'SignedHeader' in the AWS Authorization."
    )


def test_a_header_for_aws_that_was_added_is_refused() -> None:
    headers = by_flowser()
    headers["X-Amz-Security-Token"] = "added"
    assert "x-amz-security-token" in str(refused(headers).message)


def test_headers_that_are_no_utf_8_can_be_signed() -> None:
    headers = by_botocore()
    headers["X-Spaced"] = b"\xff".decode(errors="surrogateescape")
    assert refused(headers).name == "InvalidSignatureException"


@SIGNERS
@pytest.mark.parametrize("minutes", [-5, 0, 5])
def test_clocks_may_differ_by_five_minutes(sign: Sign, minutes: int) -> None:
    verify(KEYS, sign(NOON + timedelta(minutes=minutes)), BODY, NOW)


@SIGNERS
@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-301, "Signature expired"), (301, "Signature not yet current")],
)
def test_clocks_that_differ_by_more_are_refused(
    sign: Sign, seconds: int, words: str
) -> None:
    fault = refused(sign(NOON + timedelta(seconds=seconds)))
    assert fault.name == "InvalidSignatureException"
    assert str(fault.message).startswith(words)


@pytest.mark.parametrize("stamp", ["", "20261126", "20261326T120000Z", "now", "\u0662"])
def test_a_date_that_is_none_is_refused(stamp: str) -> None:
    headers = by_flowser()
    headers["X-Amz-Date"] = stamp
    assert refused(headers).name == "InvalidSignatureException"


# -- over sockets -------------------------------------------------------------------


async def call(server: Server, secret: str = KEYS.secret) -> None:
    async with connect(
        endpoint_url=server.url,
        region_name="eu-west-1",
        aws_access_key_id=KEYS.key_id,
        aws_secret_access_key=secret,
    ) as connection:
        await wire.send(connection, LISTING)


async def test_flowser_is_let_in_with_the_keys_and_not_without() -> None:
    async with Service(Store()) as swf, Server(swf, keys=KEYS) as server:
        await call(server)
        with pytest.raises(InvalidCredentials):
            await call(server, "other")


@pytest.mark.parametrize("hours", [-1, 1])
async def test_flowser_says_that_the_clock_is_wrong(hours: int) -> None:
    now = datetime.now(UTC) + timedelta(hours=hours)  # noqa: TID251 - signatures' dates
    nanoseconds = int(now.timestamp()) * 10**9
    async with (
        Service(Store(), wall=lambda: nanoseconds) as swf,
        Server(swf, keys=KEYS) as server,
    ):
        with pytest.raises(ClockSkewed):
            await call(server)


# -- regions ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("authorization", "place"),
    [
        (
            "AWS4-HMAC-SHA256 Credential=A/20261126/eu-west-1/swf/aws4_request",
            "eu-west-1",
        ),
        ("Credential=a.b+c=@d/20261126/x/swf/aws4_request,SignedHeaders=", "x"),
        ("Credential=A/20261126/eu_west_1/swf/aws4_request", "us-east-1"),
        ("Credential=A/20261126/EU-WEST-1/swf/aws4_request", "us-east-1"),
        (f"Credential=A/20261126/{'a' * 65}/swf/aws4_request", "us-east-1"),
        ("Credential=A/20261126/eu-west-1/s3/aws4_request", "us-east-1"),
        ("Credential=A/20261126//swf/aws4_request", "us-east-1"),
        ("Bearer x", "us-east-1"),
        ("", "us-east-1"),
    ],
)
def test_a_region_is_that_of_the_scope(authorization: str, place: str) -> None:
    assert region({"Authorization": authorization}) == place


def test_who_does_not_sign_is_in_us_east_1() -> None:
    assert region({}) == "us-east-1"

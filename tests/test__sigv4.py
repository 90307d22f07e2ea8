"""The signer agrees with botocore's, whatever is signed."""

from datetime import datetime
from typing import NamedTuple

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from flowser._sigv4 import CONTENT_TYPE, Signer

_VISIBLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
_WORDS = st.text(_VISIBLE, min_size=1, max_size=60)
_HOSTS = st.sampled_from(
    ("127.0.0.1", "[::1]", "localhost", "LocalHost", "swf.eu-west-1.amazonaws.com")
)
_PORTS = st.one_of(st.just(""), st.integers(1, 65535).map(lambda port: f":{port}"))
_PATHS = st.sampled_from(("", "/", "/swf", "/swf/", "/a b/~c", "//a/./b/../c/"))
URLS = st.builds(
    lambda scheme, host, port, path: f"{scheme}://{host}{port}{path}",
    st.sampled_from(("http", "https")),
    _HOSTS,
    _PORTS,
    _PATHS,
)


class Keys(NamedTuple):
    access_key: str = "AKIDEXAMPLE"
    secret_key: str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    token: str | None = None


KEYS = st.builds(Keys, _WORDS, _WORDS, st.none() | _WORDS)
NOON = datetime(2015, 8, 30, 12, 36, 0)  # noqa: DTZ001 - the signer is told UTC


def authorized(
    url: str, region: str, keys: Keys, when: datetime, *, target: str, body: bytes
) -> str:
    """Let botocore make the header, step by step, as its ``add_auth`` does."""
    headers = {"Content-Type": CONTENT_TYPE, "X-Amz-Target": target}
    request = AWSRequest("POST", url, headers=headers, data=body)
    request.context["timestamp"] = when.strftime("%Y%m%dT%H%M%SZ")
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    if keys.token:
        request.headers["X-Amz-Security-Token"] = keys.token
    auth = SigV4Auth(Credentials(*keys), "swf", region)
    to_sign = auth.string_to_sign(request, auth.canonical_request(request))
    names = auth.signed_headers(auth.headers_to_sign(request))
    return (
        f"AWS4-HMAC-SHA256 Credential={auth.scope(request)}, "
        f"SignedHeaders={names}, Signature={auth.signature(to_sign, request)}"
    )


@settings(deadline=None)  # the machine may be busy
@given(
    url=URLS,
    region=st.from_regex(r"[a-z]{2}-[a-z]{4,9}-[1-9]", fullmatch=True),
    keys=KEYS,
    when=st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)),  # noqa: DTZ001
    target=st.from_regex(r"SimpleWorkflowService\.[A-Za-z]{1,40}", fullmatch=True),
    body=st.binary(max_size=2000),
)
def test_signature_is_the_one_that_botocore_makes(
    *, url: str, region: str, keys: Keys, when: datetime, target: str, body: bytes
) -> None:
    signer = Signer(url, region, "swf")
    headers = signer.sign(keys, when, target, body)
    expected = authorized(signer.url, region, keys, when, target=target, body=body)
    assert headers["Authorization"] == expected
    assert headers.get("X-Amz-Security-Token") == keys.token


def test_one_signer_follows_the_day_and_the_keys() -> None:
    """The cached signing key must never outlive what it was made of."""
    signer = Signer("http://127.0.0.1:1", "us-east-1", "swf")
    other = Keys(secret_key="another")
    later = NOON.replace(day=31)
    for keys, when in [(Keys(), NOON), (other, NOON), (other, later), (Keys(), NOON)]:
        headers = signer.sign(keys, when, "SimpleWorkflowService.ListDomains", b"{}")
        expected = authorized(
            signer.url,
            "us-east-1",
            keys,
            when,
            target=headers["X-Amz-Target"],
            body=b"{}",
        )
        assert headers["Authorization"] == expected


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://swf.us-east-1.amazonaws.com", "swf.us-east-1.amazonaws.com"),
        ("https://example.com:443/x", "example.com"),
        ("http://example.com:443", "example.com:443"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_host_header_is_written_as_it_is_signed(url: str, host: str) -> None:
    headers = Signer(url, "us-east-1", "swf").sign(Keys(), NOON, "target", b"")
    assert headers["Host"] == host


def test_url_has_a_path_and_nothing_behind_it() -> None:
    assert Signer("http://127.0.0.1:8000", "r", "swf").url == "http://127.0.0.1:8000/"
    assert Signer("http://h/base?q#f", "r", "swf").url == "http://h/base"

"""Checks a request's signature with botocore's signer."""

import re

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support.answers import Recorded

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<day>\d{8})/(?P<region>[^/]+)/swf/"
    r"aws4_request, SignedHeaders=(?P<names>[a-z0-9;-]+), Signature=(?P<signature>\w+)"
)


def signer(recorded: Recorded, url: str, secret: str) -> str:
    """Verify the signature of a request, as SWF does.

    Args:
        recorded: The request.
        url: Where it was sent to.
        secret: The secret key it should have been signed with.

    Returns:
        The key id that signed it.
    """
    given = _AUTHORIZATION.fullmatch(recorded.headers["Authorization"])
    assert given is not None, recorded.headers["Authorization"]
    names = given["names"].split(";")
    assert {"host", "x-amz-date", "x-amz-target"} <= set(names)
    headers = {name: recorded.headers[name] for name in names}
    request = AWSRequest("POST", f"{url}/", headers=headers, data=recorded.body)
    stamp = recorded.headers["X-Amz-Date"]
    assert stamp.startswith(given["day"])
    request.context["timestamp"] = stamp
    auth = SigV4Auth(Credentials(given["key"], secret), "swf", given["region"])
    to_sign = auth.string_to_sign(request, auth.canonical_request(request))
    assert given["signature"] == auth.signature(to_sign, request)
    return given["key"]

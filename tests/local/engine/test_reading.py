"""Bodies of requests, down to their bytes: what is read, and what is refused how."""

import json
from typing import Any

import pytest

from flowser import requests, shapes
from flowser.local.engine.reading import DEPTH, read
from tests.local.engine.bodies import invalid, refused, unread

LIST = b'{"registrationStatus":"REGISTERED","x":%s}'
LISTED = requests.ListDomains(registration_status=shapes.RegistrationStatus.REGISTERED)


@pytest.mark.parametrize(
    "name", ["", "Reboot", "__init__", "__class__", "listdomains", "ListDomains ", "*"]
)
def test_what_is_none_of_the_39_is_an_unknown_operation(name: str) -> None:
    fault = refused(name, b"{}")
    assert fault.type == "com.amazon.coral.service#UnknownOperationException"
    assert fault.message is None


# -- JSON -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b" ",
        b"{",
        b'{"name":"d"',
        b'{"name":"d"}}',
        b"{'name':'d'}",
        b'{"name":d}',
        b'{"name":"d",}',
        b'{"name":"\n"}',
        b'{"name":"\\x41"}',
        b'{"name":"d","x":01}',
        b'{"name":"d","x":NaN}',
        b'{"name":"d","x":-Infinity}',
        b'{"name":"d"}//',
        b"\xef\xbb\xbf{}",
        '{"name":"d"}'.encode("utf-16"),
    ],
)
def test_what_is_no_json_is_a_serialization_exception(body: bytes) -> None:
    assert unread("DescribeDomain", body).startswith("The request is not JSON: ")


@pytest.mark.parametrize("where", [b'{"name":"%s"}', b'{"name":"d","x":"%s"}'])
@pytest.mark.parametrize("text", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xc3"])
def test_what_is_no_utf_8_is_refused_wherever_it_stands(
    where: bytes, text: bytes
) -> None:
    assert unread("DescribeDomain", where % text) == "The request is not UTF-8"
    assert unread("DescribeDomain", b'{"name":null,"%s":1}' % text)


@pytest.mark.parametrize("where", [b'{"name":"%s"}', b'{"name":"d","%s":1}'])
@pytest.mark.parametrize(
    "text", [rb"\ud800", rb"a\udc00b", rb"\udc00\ud800", rb"\ud800A", rb"\ud800\u0041"]
)
def test_a_lone_surrogate_is_no_json(where: bytes, text: bytes) -> None:
    assert "not JSON" in unread("DescribeDomain", where % text)


def test_characters_beyond_the_first_plane_come_in_either_form() -> None:
    for text in ("😀".encode(), rb"\ud83d\ude00"):
        assert read("DescribeDomain", b'{"name":"%s"}' % text) == (
            requests.DescribeDomain(name="😀")
        )


@pytest.mark.parametrize("body", [b"[]", b'"d"', b"7", b"null", b"true", b"1.5"])
def test_body_that_is_no_object_is_a_serialization_exception(body: bytes) -> None:
    assert unread("DescribeDomain", body).startswith("Expected an object, got ")


@pytest.mark.parametrize(
    ("operation", "body", "message"),
    [
        ("DescribeDomain", {"name": 7}, "Expected a string, got an integer - at name"),
        (
            "StartWorkflowExecution",
            {"workflowType": {"name": ["n"]}},
            "Expected a string, got a list - at workflowType.name",
        ),
        (
            "RespondDecisionTaskCompleted",
            {"decisions": [{}, {"decisionType": {}}]},
            "Expected a string, got an object - at decisions.2.member.decisionType",
        ),
        (
            "ListDomains",
            {"maximumPageSize": 5.0},
            "Expected an integer, got a number - at maximumPageSize",
        ),
        (
            "ListDomains",
            {"maximumPageSize": 2**31},
            "Expected an integer <= 2147483647 - at maximumPageSize",
        ),
        (
            "ListDomains",
            {"reverseOrder": "true"},
            "Expected true or false, got a string - at reverseOrder",
        ),
        (
            "CountOpenWorkflowExecutions",
            {"startTimeFilter": {"oldestDate": "1504871454"}},
            "Expected a number, got a string - at startTimeFilter.oldestDate",
        ),
    ],
)
def test_value_of_another_type_is_told_by_its_path(
    operation: str, body: Any, message: str
) -> None:
    assert unread(operation, body) == message


@pytest.mark.parametrize("size", [b"9" * 30, b"-" + b"9" * 30, b"9" * 5_000, b"1e9"])
def test_integer_of_any_length_is_refused_without_a_fuss(size: bytes) -> None:
    body = b'{"registrationStatus":"REGISTERED","maximumPageSize":%s}' % size
    assert len(unread("ListDomains", body)) < 100


def test_types_come_before_constraints() -> None:
    """What cannot be read is not judged."""
    unread("StartWorkflowExecution", {"domain": "", "workflowId": 7})


@pytest.mark.parametrize("pair", [b"[]", b"{}"])
def test_sixty_four_levels_are_read_and_no_more(pair: bytes) -> None:
    def nested(levels: int) -> bytes:  # of which the request itself is one
        key = b'"k":' if pair == b"{}" else b""
        inside = levels - 1
        return LIST % ((pair[:1] + key) * (inside - 1) + pair + pair[1:] * (inside - 1))

    assert read("ListDomains", nested(DEPTH)) == LISTED
    wide = nested(DEPTH)[:-1] + b',"y":[%s]}' % b",".join([b"[]"] * DEPTH)
    assert read("ListDomains", wide) == LISTED
    for levels in (DEPTH + 1, 500, 5_000, 100_000):
        message = unread("ListDomains", nested(levels))
        assert message == "The request is nested more than 64 levels deep"


@pytest.mark.parametrize(
    "text",
    ["[" * 99, "{[" * 99 + '"', '\\"[{' * 99, "\\[" * 99, "\n[" * 99, '"]"[' * 99],
)
def test_brackets_in_texts_are_no_levels(text: str) -> None:
    assert read("ListDomains", LIST % json.dumps(text).encode()) == LISTED
    assert read("ListDomains", LIST % json.dumps({text: [text]}).encode()) == LISTED


def test_brackets_in_texts_hide_no_levels() -> None:
    hidden = b"[" * 70 + b',"]",'.join([b'"]"'] * 70) + b"]" * 70
    assert "levels deep" in unread("ListDomains", LIST % hidden)


def test_an_empty_body_has_no_members() -> None:
    assert invalid("DescribeDomain", b"") == invalid("DescribeDomain", b"{}")


def test_members_that_nobody_knows_are_passed_over() -> None:
    body = {"name": "d", "Name": "e", "x": {"name": [None, 1e300]}, "__class__": "y"}
    known = requests.DescribeDomain(name="d")
    assert read("DescribeDomain", json.dumps(body).encode()) == known
    assert read("DescribeDomain", b'{"name":"d","x":1e999}') == known


def test_of_a_member_that_comes_twice_the_last_counts() -> None:
    known = requests.DescribeDomain(name="d")
    for first in (b'"c"', b"null", b'""'):
        assert read("DescribeDomain", b'{"name":%s,"name":"d"}' % first) == known


def test_time_is_any_number() -> None:
    for written, value in (
        ("0", 0.0),
        ("-1.5", -1.5),
        ("1.504871454307E9", 1504871454.307),
    ):
        body = f'{{"domain":"d","startTimeFilter":{{"oldestDate":{written}}}}}'
        made = read("CountOpenWorkflowExecutions", body.encode())
        assert isinstance(made, requests.CountOpenWorkflowExecutions)
        assert made.start_time_filter.oldest_date == value
    endless = b'{"domain":"d","startTimeFilter":{"oldestDate":1e999}}'
    assert "out of range" in unread("CountOpenWorkflowExecutions", endless)

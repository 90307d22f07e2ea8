"""What SWF says of values that it does not take, and odd values that it does take."""

import json
import re
from typing import Any

import pytest

from flowser import requests, shapes
from flowser.local.engine.reading import ERRORS, read
from tests.local.engine.bodies import invalid, refused

NO_NAME = "Member must not be arn, nor contain : / | or control characters"


def test_errors_are_told_in_the_words_of_swf() -> None:
    assert invalid("StartWorkflowExecution", {"workflowType": {"name": ""}}) == (
        "4 validation errors detected: "
        "Value null at 'domain' failed to satisfy constraint: Member must not be null; "
        "Value null at 'workflowId' failed to satisfy constraint: "
        "Member must not be null; "
        "Value '' at 'workflowType.name' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1; "
        "Value null at 'workflowType.version' failed to satisfy constraint: "
        "Member must not be null"
    )


def test_tags_are_shown_as_a_list_and_told_by_their_places() -> None:
    body = {
        "domain": "d",
        "workflowId": "w",
        "workflowType": {"name": "n", "version": "v"},
    }
    tags = ["a", "b", None, "c", "d", "e" * 257]
    assert invalid("StartWorkflowExecution", body | {"tagList": tags}) == (
        "2 validation errors detected: "
        f"Value '[a, b, null, c, d, {'e' * 237}...' at 'tagList' failed to satisfy "
        "constraint: Member must have length less than or equal to 5; "
        f"Value '{'e' * 256}...' at 'tagList.6.member' failed to satisfy constraint: "
        "Member must have length less than or equal to 256"
    )


@pytest.mark.parametrize(
    ("operation", "body", "path", "value", "sentence"),
    [
        (
            "DescribeDomain",
            {"name": value},
            "name",
            value,
            f"{NO_NAME}, nor begin or end with whitespace",
        )
        for value in ("arn", "a:b", "a/b", "a|b", "a\x00", "a\x9f", " a", "a\u00a0")
    ]
    + [
        (
            "RequestCancelWorkflowExecution",
            {"domain": "d", "workflowId": value},
            "workflowId",
            value,
            NO_NAME,
        )
        for value in ("arn", "a:b", "\t")
    ]
    + [
        (
            "RegisterDomain",
            {"name": "d", "workflowExecutionRetentionPeriodInDays": value},
            "workflowExecutionRetentionPeriodInDays",
            value,
            "Member must be an integer between 0 and 90, or NONE",
        )
        for value in ("91", "-1", "none", "1.5", "soon")
    ]
    + [
        (
            "RegisterWorkflowType",
            {"domain": "d", "name": "n", "version": "v", member: value},
            member,
            value,
            f"Member must be an integer between {bounds}",
        )
        for member, bounds, values in (
            (
                "defaultTaskStartToCloseTimeout",
                "0 and 99999999, or NONE",
                ("-1", "1e3", " 1", "\u0661"),
            ),
            ("defaultExecutionStartToCloseTimeout", "0 and 99999999", ("NONE", "x")),
            (
                "defaultTaskPriority",
                "-2147483648 and 2147483647",
                ("2147483648", "high", "9" * 99),
            ),
        )
        for value in values
    ]
    + [
        (
            "RegisterWorkflowType",
            {"domain": "d", "name": "n", "version": "v", member: ""},
            member,
            "",
            "Member must have length greater than or equal to 1",
        )
        for member in ("defaultTaskStartToCloseTimeout", "defaultTaskPriority")
    ]
    + [
        (
            "TagResource",
            {"resourceArn": "arn:x", "tags": [{"key": "k"}, {"key": "a*b"}]},
            "tags.2.member.key",
            "a*b",
            "Member must have letters, digits, whitespace and _ . : / = + - @ only",
        )
    ],
)
def test_value_that_swf_does_not_take_is_told(
    operation: str, body: Any, path: str, value: str, sentence: str
) -> None:
    assert invalid(operation, body) == (
        f"1 validation error detected: Value '{value}' at '{path}' failed to satisfy "
        f"constraint: {sentence}"
    )


@pytest.mark.parametrize(
    "name", ["álbum 相册", "a b", "arn2", "ARN", "x" * 256, "😀" * 256]
)
def test_names_may_have_any_other_characters(name: str) -> None:
    made = read("DescribeDomain", json.dumps({"name": name}).encode())
    assert made == requests.DescribeDomain(name=name)


def test_enumerations_become_members() -> None:
    made = read("ListDomains", b'{"registrationStatus":"DEPRECATED"}')
    assert isinstance(made, requests.ListDomains)
    assert made.registration_status is shapes.RegistrationStatus.DEPRECATED
    unusual = b'{"registrationStatus":"x","registrationStatus":"DEPRECATED"}'
    again = read("ListDomains", unusual)
    assert isinstance(again, requests.ListDomains)
    assert again.registration_status is shapes.RegistrationStatus.DEPRECATED


def test_a_null_tag_is_accepted_and_absent() -> None:
    body = {
        "domain": "d",
        "workflowId": "w",
        "workflowType": {"name": "n", "version": "v"},
    }
    for tags, kept in (([None], ()), (["a", None, ""], ("a", ""))):
        raw = json.dumps(body | {"tagList": tags}).encode()
        made = read("StartWorkflowExecution", raw)
        assert isinstance(made, requests.StartWorkflowExecution)
        assert made.tag_list == kept


def test_an_item_of_another_list_must_not_be_null() -> None:
    message = invalid("UntagResource", {"resourceArn": "arn:x", "tagKeys": ["k", None]})
    assert "Value null at 'tagKeys.2.member' failed" in message


@pytest.mark.parametrize(
    "operation",
    [
        "SignalWorkflowExecution",
        "RequestCancelWorkflowExecution",
        "TerminateWorkflowExecution",
    ],
)
def test_an_empty_run_id_is_none(operation: str) -> None:
    body = {"domain": "d", "workflowId": "w", "signalName": "s", "runId": ""}
    made: Any = read(operation, json.dumps(body).encode())
    assert made.run_id is None


def test_a_megabyte_of_errors_has_a_short_answer() -> None:
    body = b'{"taskToken":"t","decisions":[%s]}' % b",".join([b"{}"] * 340_000)
    message = invalid("RespondDecisionTaskCompleted", body)
    assert message.startswith(f"{ERRORS} validation errors detected: ")
    assert len(re.findall("failed to satisfy", message)) == ERRORS
    assert "decisions.100.member.decisionType" in message
    long = {"name": "x" * 1_000_000}
    assert len(invalid("DescribeDomain", long)) < 500


@pytest.mark.parametrize("value", [7, "x" * 300, None])
def test_messages_name_nothing_of_the_machine(value: Any) -> None:
    fault = refused("DescribeDomain", {"name": value})
    assert not re.search(r"flowser|msgspec|Traceback|\bstr\b|class", str(fault.message))
    assert fault.__cause__ is None

"""What is known of an exception that was raised elsewhere."""

import json
from typing import Any

import pytest

from flowser.replay.failures import ActivityFailed, RemoteError, remote


def told(**members: Any) -> str:
    return json.dumps({"fv": 1, "type": "app.Declined"} | members)


def test_a_description_is_read_with_its_causes() -> None:
    cause = {"type": "builtins.OSError", "message": "gone"}
    error = remote("whatever", told(message="no funds", cause=cause, traceback="at\n"))
    assert error is not None
    assert str(error) == "app.Declined: no funds\nat"
    assert isinstance(error.__cause__, RemoteError)
    assert str(error.__cause__) == "builtins.OSError: gone"


@pytest.mark.parametrize(
    ("reason", "type", "message"),
    [
        ("ValueError: no such order", "ValueError", "no such order"),
        ("Declined", "Declined", ""),
        ("app.cards.Declined: no", "app.cards.Declined", "no"),
        ("worker stopping", "Exception", "worker stopping"),
        ("we tried: hard", "Exception", "we tried: hard"),
    ],
)
def test_a_reason_of_any_worker_names_a_type_where_it_looks_like_one(
    reason: str, type: str, message: str
) -> None:
    error = remote(reason, "Traceback ...")
    assert error is not None
    assert (error.type, error.message) == (type, message)
    assert error.traceback == "Traceback ..."


@pytest.mark.parametrize("details", [None, "", "{", "[1]", '{"fv": 0}', "{" * 5_000])
def test_nothing_told_is_no_cause(details: str | None) -> None:
    assert remote(None, details) is None
    assert ActivityFailed("1", "charge", None, details).__cause__ is None


def test_details_that_are_no_description_are_kept_as_text() -> None:
    error = ActivityFailed("1", "charge", "Declined: no", '{"code": 7}')
    assert error.details == '{"code": 7}'
    assert str(error) == "charge (1): Declined: no"


def test_types_are_tested_by_name_qualified_or_not_and_by_class() -> None:
    bases = ["app.Problem", "builtins.ValueError"]
    error = ActivityFailed("1", "charge", None, told(bases=bases))
    assert error.is_a("app.Declined")
    assert error.is_a("Declined")
    assert error.is_a("Problem")
    assert error.is_a(ValueError)
    assert not error.is_a("other.Declined")
    assert not error.is_a(KeyError)
    assert str(error) == "charge (1): app.Declined"


def test_without_a_cause_it_is_of_no_type() -> None:
    error = ActivityFailed("1", "charge")
    assert not error.is_a("Declined")
    assert str(error) == "charge (1)"

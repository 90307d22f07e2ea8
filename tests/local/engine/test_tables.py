"""The engine's tables have a row for everything that botocore's model of SWF has."""

from typing import Any

from flowser import decisions, events, requests
from flowser.local.engine import (
    buckets,
    closing,
    deciding,
    ending,
    engine,
    forms,
    happening,
    outgoing,
    reading,
    scheduling,
    timeouts,
    waking,
)
from tests.local.shapes import model


def _names(shape: str) -> set[str]:
    return set(model().shape_for(shape).enum)


def _named(classes: Any) -> set[str]:
    return {each.__name__ for each in classes}


def test_every_event_has_a_row_in_the_fold() -> None:
    assert len(_names("EventType")) == 54
    assert _named(happening.EVENTS) == _names("EventType")


def test_every_event_wakes_or_closes_or_does_neither() -> None:
    parts = [waking.WAKING, waking.QUIET, frozenset(waking.CLOSING)]
    assert sum(map(len, parts)) == 54
    assert _named(frozenset[Any]().union(*parts)) == _names("EventType")
    assert set(waking.CLOSING.values()) == _names("CloseStatus")


def test_every_event_that_closes_does_so_in_the_fold() -> None:
    closes = {
        kind for kind, row in happening.EVENTS.items() if row is happening._closed
    }
    assert closes == set(waking.CLOSING)


def test_every_end_but_continuing_is_told_to_a_parent() -> None:
    told = set(ending._TELLING) | {events.WorkflowExecutionContinuedAsNew}
    assert told == set(waking.CLOSING)
    assert _named(kind for kind, _ in ending._TELLING.values()) == {
        name.replace("Workflow", "ChildWorkflow", 1) for name in _named(ending._TELLING)
    }


def test_every_decision_has_a_row_of_its_own() -> None:
    assert len(_names("DecisionType")) == 13
    assert _named(deciding.DECISIONS) == _names("DecisionType")
    assert {each.value for each in forms.DecisionType} == _names("DecisionType")
    rows = list(deciding.DECISIONS.values())
    assert len(set(rows)) == len(rows)
    rooms = {closing.__name__, outgoing.__name__, scheduling.__name__}
    assert {row.__module__ for row in rows} == rooms


def test_every_decision_that_closes_may_fail() -> None:
    failures = {f"{kind.__name__}Failed" for kind in decisions.CLOSING}
    assert failures <= set(events.ATTRIBUTES)


def test_every_operation_has_a_row_a_reader_and_a_bucket() -> None:
    operations = set(model().operation_names)
    assert len(operations) == 39
    polls = set(engine._POLLS)
    assert _named(polls) == requests.POLLS
    assert not set(engine.OPERATIONS) & polls
    assert _named(set(engine.OPERATIONS) | polls) == operations
    assert set(reading._DECODERS) == operations
    assert set(buckets.CALLS) == operations
    assert set(buckets.DECISIONS) <= _names("DecisionType")
    assert set(buckets.RUN_CALLS) <= operations


def test_every_kind_of_time_out_has_a_clock() -> None:
    kinds = {
        f"{what}TaskTimeoutType": names
        for what, names in {
            "Decision": {"decision-start", "decision-close"},
            "Activity": {
                "activity-start",
                "activity-close",
                "activity-whole",
                "heartbeat",
            },
        }.items()
    }
    for shape, clocks in kinds.items():
        assert len(_names(shape)) == len(clocks)
    known = set[str]().union(*kinds.values()) | {"execution", "timer", "lambda"}
    assert set(timeouts.CLOCKS) == known

"""The engine's tables have a row for everything that SWF's model has."""

from typing import Any

from flowser import decisions, events, requests
from flowser.local.engine import buckets, deciding, engine, happening, waking


def test_every_event_has_a_row_in_the_fold() -> None:
    assert set(happening.EVENTS) == set(events.ATTRIBUTES.values())


def test_every_event_wakes_or_closes_or_does_neither() -> None:
    parts = [waking.WAKING, waking.QUIET, frozenset(waking.CLOSING)]
    assert sum(map(len, parts)) == len(events.ATTRIBUTES)
    assert frozenset[Any]().union(*parts) == set(events.ATTRIBUTES.values())


def test_every_decision_has_a_row() -> None:
    assert set(deciding.DECISIONS) == set(decisions.DECISIONS.values())


def test_every_operation_has_a_row_and_a_bucket() -> None:
    polls = {requests.PollForActivityTask, requests.PollForDecisionTask}
    assert set(engine.OPERATIONS) | polls == set(requests.OPERATIONS.values())
    assert not set(engine.OPERATIONS) & polls
    assert set(buckets.CALLS) == set(requests.OPERATIONS)

"""How a poller judges its polls: when to poll again, and what is said, once."""

import asyncio
import logging
import os

import pytest

from flowser._polling import (
    PASSING,
    Condition,
    Health,
    PollCondition,
    activity_poll,
    decision_poll,
    identity,
)
from flowser.exceptions import (
    AccessDenied,
    ClockSkewed,
    ConnectionFailed,
    EmptyTaskPollResult,
    Error,
    ExpiredCredentials,
    InternalFailure,
    InvalidCredentials,
    LimitExceededFault,
    ResponseLost,
    ServiceError,
    Throttled,
    UnknownResourceFault,
    ValidationFailed,
)
from tests.declared import logged
from tests.faults.virtual import virtual

EMPTY = EmptyTaskPollResult("PollForDecisionTask")
THROTTLED = Throttled("PollForDecisionTask", "ThrottlingException", "Rate exceeded")
LOST = ResponseLost("PollForDecisionTask", "the answer was cut")


@pytest.fixture
def health(caplog: pytest.LogCaptureFixture) -> Health:
    caplog.set_level(logging.INFO, "flowser")
    return Health("photos", "albums")


def fault(kind: type[ServiceError]) -> ServiceError:
    return kind("PollForDecisionTask", kind.__name__, "words")


def test_ordinary_empty_poll_is_followed_at_once_and_in_silence(
    health: Health, caplog: pytest.LogCaptureFixture
) -> None:
    assert [health.failed(EMPTY, 60.0) for _ in range(5)] == [0.0] * 5
    assert logged(caplog) == []


def test_poll_that_comes_back_empty_at_once_is_followed_after_growing_pauses(
    health: Health, caplog: pytest.LogCaptureFixture
) -> None:
    pauses = [health.failed(EMPTY, 0.001) for _ in range(12)]
    assert all(pause >= 0.1 for pause in pauses)
    assert pauses[-1] >= 30.0
    assert len(logged(caplog)) == 1
    assert "empty at once" in logged(caplog)[0][1]


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (THROTTLED, "WARNING"),
        (fault(InternalFailure), "WARNING"),
        (ConnectionFailed("PollForDecisionTask", "refused"), "WARNING"),
        (fault(ExpiredCredentials), "WARNING"),
        (fault(InvalidCredentials), "WARNING"),
        (fault(ClockSkewed), "WARNING"),
        (fault(LimitExceededFault), "INFO"),
        (fault(UnknownResourceFault), "ERROR"),
    ],
)
def test_failure_is_told_once_and_its_end_too(
    health: Health, caplog: pytest.LogCaptureFixture, error: Error, level: str
) -> None:
    for _ in range(3):
        assert health.failed(error, 0.1) > 0
    health.succeeded()
    health.succeeded()
    (began, ended) = logged(caplog)
    assert began[0] == level
    assert str(error) in began[1]
    assert ended == ("INFO", "polling albums works again")
    for record in caplog.records:
        assert vars(record)["domain"] == "photos"
        assert vars(record)["task_list"] == "albums"


def test_failure_of_another_kind_is_told_anew(
    health: Health, caplog: pytest.LogCaptureFixture
) -> None:
    for error in (THROTTLED, fault(InternalFailure), THROTTLED):
        health.failed(error, 0.1)
    assert len(logged(caplog)) == 3


def test_every_lost_answer_is_told_for_each_may_have_cost_a_task(
    health: Health, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        health.failed(LOST, 0.1)
    told = logged(caplog)
    assert len(told) == 3
    assert all("may have been handed out" in words for _, words in told)


@pytest.mark.parametrize(
    ("error", "most"), [(fault(InternalFailure), 60.0), (THROTTLED, 2.0)]
)
def test_pauses_grow_and_begin_again_after_a_success(
    health: Health, error: Error, most: float
) -> None:
    """Throttling is over soon: SWF's bucket refills 200 times a second."""
    pauses = [health.failed(error, 0.1) for _ in range(12)]
    assert 0.1 <= pauses[0] <= 0.2
    assert most / 2 <= pauses[-1] <= most
    health.succeeded()
    assert health.failed(error, 0.1) <= 0.2


def test_empty_poll_of_a_minute_is_a_success_after_failures(
    health: Health, caplog: pytest.LogCaptureFixture
) -> None:
    health.failed(THROTTLED, 0.1)
    assert health.failed(EMPTY, 60.0) == 0.0
    assert logged(caplog)[-1] == ("INFO", "polling albums works again")


def test_pollers_of_a_list_tell_of_one_failure_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "flowser")
    condition = PollCondition("photos", "albums")
    one, two, three = (Health("photos", "albums", condition) for _ in range(3))
    for health in (one, two, one, three):
        health.failed(THROTTLED, 0.1)
    one.succeeded()
    two.failed(fault(InternalFailure), 0.1)
    three.ended()
    assert [level for level, _ in logged(caplog)] == ["WARNING", "WARNING"]
    two.succeeded()
    assert logged(caplog)[2:] == [("INFO", "polling albums works again")]


def test_poller_that_ends_while_it_fails_is_forgotten_in_silence(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "flowser")
    condition = PollCondition("photos", "albums")
    gone, left = (Health("photos", "albums", condition) for _ in range(2))
    gone.failed(THROTTLED, 0.1)
    gone.ended()
    left.failed(THROTTLED, 0.1)
    left.succeeded()
    assert [level for level, _ in logged(caplog)] == ["WARNING", "WARNING", "INFO"]


def test_poll_that_was_cancelled_is_told(
    health: Health, caplog: pytest.LogCaptureFixture
) -> None:
    health.lost("the poll was cancelled")
    ((level, words),) = logged(caplog)
    assert level == "WARNING"
    assert words.endswith("the poll was cancelled")


def test_too_many_pollers_wait_longer_than_failures(health: Health) -> None:
    assert health.failed(fault(LimitExceededFault), 0.1) >= 1.0


@pytest.mark.parametrize("kind", [AccessDenied, UnknownResourceFault, ValidationFailed])
def test_what_waiting_cannot_mend_does_not_pass(kind: type[Error]) -> None:
    assert not issubclass(kind, PASSING)


@virtual
async def test_what_many_try_now_and_then_is_well_again_only_after_a_calm(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "flowser")
    condition, one, two = Condition("sending", calm=10.0), object(), object()
    for who in (one, two, one):
        condition.ails(who, THROTTLED)
        condition.ails(who, LOST)
        condition.well(who)
        await asyncio.sleep(9)
    assert [level for level, _ in logged(caplog)] == ["WARNING"]
    condition.ails(one, fault(AccessDenied))  # worse than before
    await asyncio.sleep(20)
    condition.well(one)
    assert [level for level, _ in logged(caplog)] == ["WARNING", "ERROR", "INFO"]


@virtual
async def test_calm_is_told_although_nobody_tries_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "flowser")
    condition, one = Condition("sending", calm=10.0), object()
    condition.ails(one, THROTTLED)
    condition.well(one)
    await asyncio.sleep(9)
    assert len(logged(caplog)) == 1
    await asyncio.sleep(2)
    assert logged(caplog)[1:] == [("INFO", "sending works again")]


def test_throttling_keeps_nobody_away_for_long(health: Health) -> None:
    pauses = [health.failed(THROTTLED, 0.01) for _ in range(50)]
    assert all(0.1 <= pause <= 2.0 for pause in pauses)
    assert pauses[-1] >= 1.0


def test_polls_say_who_polls_and_want_the_newest_event_first() -> None:
    poll = decision_poll("photos", "albums", page_size=7)
    assert poll.identity == identity()
    assert str(os.getpid()) in identity()
    assert poll.reverse_order
    assert poll.maximum_page_size == 7
    assert activity_poll("photos", "images", "me").identity == "me"


def test_news_carries_the_fields_of_who_made_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    condition = Condition("sending", {"domain": "photos"})
    condition.ails(object(), THROTTLED, {"activity_id": "a-1"})
    [record] = caplog.records
    assert vars(record)["activity_id"] == "a-1"
    assert vars(record)["domain"] == "photos"

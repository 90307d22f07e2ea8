"""What goes wrong between a client and a local SWF, when it is planned."""

import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from botocore import exceptions as boto

from flowser.exceptions import (
    SERVICE_ERRORS,
    EmptyTaskPollResult,
    InternalFailure,
    InvalidArgument,
    ResponseLost,
    ServiceError,
    UnknownResourceFault,
    WorkflowExecutionAlreadyStartedFault,
)
from flowser.testing import LocalSwf, UnusedFaults
from tests.declared import logged
from tests.testing.printing import Album, Printer, printer, worker

ALBUM = {"id": "a-1"}
START = "StartWorkflowExecution"
DESCRIBE = "DescribeDomain"


@pytest.fixture
async def swf() -> AsyncIterator[LocalSwf]:
    async with LocalSwf() as local:
        yield local


@pytest.fixture
async def domain(swf: LocalSwf) -> Printer:
    return await printer(swf)


async def once(swf: LocalSwf, **more: Any) -> Any:
    """Describe the domain by a plain client that repeats nothing."""
    retries: dict[str, Any] = {"retries": {"total_max_attempts": 1}}
    async with swf.client(**(retries | more)) as client:
        return await client.describe_domain(name="printer")


# -- the ways --


async def test_throttled_call_is_repeated_by_the_client(
    swf: LocalSwf, domain: Printer
) -> None:
    plan = swf.faults.throttle(START, times=3)
    start = swf.now
    await domain.start(Album, ALBUM)
    assert plan.happened == 3
    assert swf.now - start > timedelta(seconds=1)


async def test_throttled_call_shows_swf_s_error(swf: LocalSwf, domain: Printer) -> None:
    swf.faults.throttle()
    with pytest.raises(boto.ClientError) as caught:
        await once(swf)
    error = caught.value.response["Error"]
    assert error == {"Code": "ThrottlingException", "Message": "Rate exceeded"}


@pytest.mark.parametrize("name", SERVICE_ERRORS)
async def test_call_fails_by_any_error_of_aws(
    swf: LocalSwf, domain: Printer, name: str
) -> None:
    swf.faults.fail(START, name, message="so be it", times=None)
    with pytest.raises(SERVICE_ERRORS[name]) as caught:
        await domain.start(Album, ALBUM)
    assert caught.value.code == name
    assert caught.value.message == "so be it"
    failed = issubclass(SERVICE_ERRORS[name], InternalFailure)
    assert (caught.value.status >= 500) is failed


async def test_page_of_a_load_balancer_is_no_error_of_swf(
    swf: LocalSwf, domain: Printer
) -> None:
    swf.faults.fail(START, 503)
    with pytest.raises(InternalFailure) as caught:
        await domain.start(Album, ALBUM)
    assert (caught.value.status, caught.value.code) == (503, "HTTP 503")
    swf.faults.fail(DESCRIBE, 502)
    with pytest.raises(boto.ClientError, match="502"):
        await once(swf)


async def test_lost_answer_is_that_of_a_call_that_was_carried_out(
    swf: LocalSwf, domain: Printer
) -> None:
    swf.faults.lose(START)
    with pytest.raises(ResponseLost):
        await domain.start(Album, ALBUM)
    with pytest.raises(WorkflowExecutionAlreadyStartedFault):
        await domain.start(Album, ALBUM)


async def test_lost_request_is_not_carried_out(swf: LocalSwf, domain: Printer) -> None:
    swf.faults.lose(START, acted=False)
    with pytest.raises(ResponseLost):
        await domain.start(Album, ALBUM)
    await domain.start(Album, ALBUM)


async def test_answer_that_is_cut_is_lost(swf: LocalSwf, domain: Printer) -> None:
    swf.faults.cut(START)
    with pytest.raises(ResponseLost, match="not completed"):
        await domain.start(Album, ALBUM)
    with pytest.raises(WorkflowExecutionAlreadyStartedFault):
        await domain.start(Album, ALBUM)


async def test_truncated_answer_is_no_empty_one(swf: LocalSwf, domain: Printer) -> None:
    swf.faults.truncate("PollFor*", times=2)
    with pytest.raises(ResponseLost, match="unreadable"):
        await domain.poll_activity("printers")
    await domain.start(Album, ALBUM)
    with pytest.raises(ResponseLost, match="unreadable"):
        await domain.poll_decision(Album)


async def test_late_answer_takes_its_time(swf: LocalSwf, domain: Printer) -> None:
    swf.faults.delay(START, 9)
    start = swf.now
    await domain.start(Album, ALBUM)
    assert swf.now - start == timedelta(seconds=9)


async def test_answer_that_is_too_late_is_lost(swf: LocalSwf, domain: Printer) -> None:
    swf.faults.delay(START, timedelta(minutes=1))
    start = swf.now
    with pytest.raises(ResponseLost, match="Timeout"):
        await domain.start(Album, ALBUM)
    assert swf.now - start == timedelta(seconds=10)


async def test_request_that_gets_through_twice_is_answered_for_the_second(
    swf: LocalSwf, domain: Printer
) -> None:
    swf.faults.duplicate_request(START)
    with pytest.raises(WorkflowExecutionAlreadyStartedFault):
        await domain.start(Album, ALBUM)


async def test_answer_that_comes_twice_hands_a_task_out_twice(
    swf: LocalSwf, domain: Printer
) -> None:
    await domain.start(Album, ALBUM)
    swf.faults.duplicate_response("PollForDecisionTask")
    one = await domain.poll_decision(Album)
    two = await domain.poll_decision(Album)
    assert one.workflow_execution == two.workflow_execution
    await one.complete()
    with pytest.raises(UnknownResourceFault):
        await two.complete()


async def test_task_that_is_lost_is_one_of_a_poll_in_flight(
    swf: LocalSwf, domain: Printer, caplog: pytest.LogCaptureFixture
) -> None:
    async with worker(domain):
        await swf.skip(hours=1, seconds=7)
        plan = swf.faults.lose_task("decision")
        handle = await domain.start(Album, ALBUM)
        assert await handle.result() == "printed"
    assert plan.happened == 1
    types = [event.type async for event in handle.history()]
    assert types[:4] == [
        "WorkflowExecutionStarted",
        "DecisionTaskScheduled",
        "DecisionTaskStarted",
        "DecisionTaskTimedOut",
    ]
    assert len(logged(caplog, logging.WARNING)) == 1


async def test_second_task_of_a_list_is_lost(swf: LocalSwf, domain: Printer) -> None:
    where = {"taskList": {"name": "albums"}}
    swf.faults.lose_task("decision", nth=2, where=where)
    with pytest.raises(EmptyTaskPollResult):
        await domain.poll_decision(Album)  # brings none, and does not count
    await domain.start(Album, {"id": "a-1"})
    await domain.start(Album, {"id": "a-2"})
    await domain.poll_decision(Album)
    with pytest.raises(ResponseLost):
        await domain.poll_decision(Album)


async def test_further_page_is_no_task(swf: LocalSwf, domain: Printer) -> None:
    await domain.start(Album, ALBUM)
    plan = swf.faults.lose_task("decision", nth=2)
    decision = await domain.poll_decision(Album, page_size=1)
    assert len([event async for event in decision.events]) == 3
    assert plan.pending
    swf.faults.clear()


@pytest.mark.parametrize(
    ("plan", "error"),
    [
        ("lose", boto.ConnectionClosedError),
        ("cut", boto.ConnectionClosedError),
        ("delay", boto.ReadTimeoutError),
        ("down", boto.EndpointConnectionError),
    ],
)
async def test_plain_client_sees_what_it_would_see(
    swf: LocalSwf, domain: Printer, plan: str, error: type[Exception]
) -> None:
    if plan == "down":
        async with swf.down():
            with pytest.raises(error):
                await once(swf)
        return
    more = {"by": 100} if plan == "delay" else {}
    getattr(swf.faults, plan)(DESCRIBE, **more)
    with pytest.raises(error) as caught:
        await once(swf)
    assert isinstance(caught.value.__cause__, aiohttp.ClientError)


async def test_plain_client_repeats_what_botocore_repeats(
    swf: LocalSwf, domain: Printer
) -> None:
    lost = swf.faults.lose(DESCRIBE)
    failed = swf.faults.fail(DESCRIBE, 500)
    await once(swf, retries={"total_max_attempts": 3, "mode": "standard"})
    assert (lost.happened, failed.happened) == (1, 1)


# -- which calls --


async def test_calls_are_counted_from_the_plan_on(
    swf: LocalSwf, domain: Printer
) -> None:
    await domain.describe()
    swf.faults.fail(DESCRIBE, "AccessDenied", nth=2, times=2)
    await domain.describe()
    for _ in range(2):
        with pytest.raises(ServiceError):
            await domain.describe()
    await domain.describe()


async def test_parameters_choose_calls(swf: LocalSwf, domain: Printer) -> None:
    album = {"name": "Album", "version": "1.0"}
    where = {"workflowId": "Album-2", "workflowType": album}
    swf.faults.fail(START, "AccessDenied", where=where)
    await domain.start(Album, {"id": "1"})
    with pytest.raises(ServiceError):
        await domain.start(Album, {"id": "2"})


async def test_first_plan_takes_a_call_and_the_others_do_not_count_it(
    swf: LocalSwf, domain: Printer
) -> None:
    swf.faults.fail(DESCRIBE, "AccessDenied")
    swf.faults.fail("Describe*", "OperationNotPermittedFault")
    codes = []
    for _ in range(2):
        with pytest.raises(ServiceError) as caught:
            await domain.describe()
        codes.append(caught.value.code)
    assert codes == ["AccessDenied", "OperationNotPermittedFault"]
    await domain.describe()


async def test_plans_tell_what_came_of_them(swf: LocalSwf, domain: Printer) -> None:
    plan = swf.faults.throttle(DESCRIBE, times=2, where={"name": "printer"})
    other = swf.faults.lose(START, nth=3, times=None)
    assert swf.faults.pending == [plan, other]
    assert swf.faults.happened == []
    await domain.describe()
    await domain.start(Album, {"id": "1"})
    assert swf.faults.pending == [other]
    assert swf.faults.happened == [plan]
    await domain.start(Album, {"id": "2"})
    for id in "34":
        with pytest.raises(ResponseLost):
            await domain.start(Album, {"id": id})
    assert swf.faults.pending == []
    assert [plan.happened for plan in swf.faults.happened] == [2, 2]


async def test_all_calls_can_fail_for_ever(swf: LocalSwf, domain: Printer) -> None:
    swf.faults.fail("*", "AccessDenied", times=None)
    for _ in range(10):
        with pytest.raises(ServiceError):
            await domain.describe()
    assert swf.faults.pending == []
    swf.faults.clear()
    await domain.describe()


# -- plans that do not come true --


async def test_fault_that_did_not_happen_is_an_error_at_the_end() -> None:
    with pytest.raises(UnusedFaults) as caught:
        async with LocalSwf() as swf:
            domain = await printer(swf)
            swf.faults.lose(DESCRIBE, nth=2)
            await domain.describe()
    assert str(caught.value) == (
        "these faults did not happen: <lose DescribeDomain, from number 2 on: 1 came, "
        "0 went wrong>; swf.faults.clear() drops them"
    )


async def test_error_of_the_test_comes_first() -> None:
    with pytest.raises(ZeroDivisionError):
        async with LocalSwf() as swf:
            swf.faults.lose(START)
            raise ZeroDivisionError


@pytest.mark.parametrize(
    ("method", "args", "options", "problem"),
    [
        ("lose", ["PollForActivity"], {}, "operation is 'PollForActivity', and there"),
        ("fail", ["Poll"], {}, "operation is 'Poll', and there is none"),
        ("throttle", [START], {"nth": 0}, "nth is 0: the first call is 1"),
        ("throttle", [START], {"times": 0}, "times is 0: give 1 or more"),
        ("cut", [START], {"where": {"workflow_id": "x"}}, "there are childPolicy, "),
        ("fail", [START, "Unknown"], {}, "error is 'Unknown', and there is none"),
        ("fail", [START, 404], {}, "error is 404: give 500 to 599"),
        ("delay", [START, -1], {}, "by is -1: give 0 s or more"),
        ("delay", [START, float("nan")], {}, "by is nan: give 0 s or more"),
        ("lose_task", ["lambda"], {}, 'kind is .lambda.: give "activity" or'),
        ("duplicate_response", [START], {"times": 3}, "times is given"),
    ],
)
async def test_plan_that_cannot_come_true_is_refused(
    swf: LocalSwf, method: str, args: Any, options: Any, problem: str
) -> None:
    with pytest.raises(InvalidArgument, match=problem):
        getattr(swf.faults, method)(*args, **options)
    assert swf.faults.pending == []

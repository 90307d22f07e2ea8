"""Registering again and again, from many processes at once, and saying what differs."""

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest

from flowser import requests
from flowser.domain import Domain
from flowser.exceptions import (
    DomainAlreadyExistsFault,
    DomainDeprecatedFault,
    InvalidArgument,
    LimitExceededFault,
    TypeAlreadyExistsFault,
)
from flowser.registration import Difference, Registration, request_for
from tests.conftest import BareClient
from tests.declared import Album, Photos, Resize, body, connected, hurried, logged
from tests.histories import ALBUM, RESIZE
from tests.support.answers import Fault, Lost, throttled, unknown_resource
from tests.support.scripted import ScriptedSwf
from tests.support.watched import WatchedSwf

EVERYTHING = {"domain photos", "workflow Album 1.0", "activity Resize 1.0"}
DOMAIN: dict[str, Any] = {
    "domainInfo": {"name": "photos", "status": "REGISTERED"},
    "configuration": {"workflowExecutionRetentionPeriodInDays": "30"},
}
ALBUM_DETAIL: dict[str, Any] = {
    "typeInfo": {"workflowType": ALBUM, "status": "REGISTERED", "creationDate": 1.5e9},
    "configuration": {
        "defaultTaskList": {"name": "albums"},
        "defaultChildPolicy": "TERMINATE",
        "defaultExecutionStartToCloseTimeout": "600",
        "defaultTaskStartToCloseTimeout": "120",
    },
}
RESIZE_DETAIL: dict[str, Any] = {
    "typeInfo": {"activityType": RESIZE, "status": "REGISTERED", "creationDate": 1.5e9},
    "configuration": {
        "defaultTaskList": {"name": "images"},
        "defaultTaskHeartbeatTimeout": "3600",
        "defaultTaskScheduleToCloseTimeout": "3600",
        "defaultTaskScheduleToStartTimeout": "3600",
        "defaultTaskStartToCloseTimeout": "3600",
    },
}


def exists(scripted: ScriptedSwf) -> None:
    """Let everything be registered already, as the code says."""
    scripted.always("RegisterDomain", Fault("DomainAlreadyExistsFault", "photos"))
    for kind in ("Workflow", "Activity"):
        scripted.always(f"Register{kind}Type", Fault("TypeAlreadyExistsFault", "it"))
    scripted.always("DescribeDomain", DOMAIN)
    scripted.always("DescribeWorkflowType", ALBUM_DETAIL)
    scripted.always("DescribeActivityType", RESIZE_DETAIL)


async def registered(scripted: ScriptedSwf, **given: Any) -> Registration:
    async with hurried(scripted.url) as conn:
        return await Photos(conn).register(**given)


async def test_domain_and_types_are_registered_with_their_defaults(
    scripted: ScriptedSwf,
) -> None:
    class Kept(Photos):
        retention_period = 7
        description = "Pictures."

    async with connected(scripted.url) as conn:
        found = await Kept(conn).register()
    assert set(found.created) == EVERYTHING
    assert found[1:] == ((), (), ())
    assert scripted.of("RegisterDomain")[0].params == {
        "name": "photos",
        "description": "Pictures.",
        "workflowExecutionRetentionPeriodInDays": "7",
    }
    assert scripted.of("RegisterWorkflowType")[0].params == {
        "domain": "photos",
        "name": "Album",
        "version": "1.0",
        "defaultTaskList": {"name": "albums"},
        "defaultChildPolicy": "TERMINATE",
        "defaultExecutionStartToCloseTimeout": "600",
        "defaultTaskStartToCloseTimeout": "120",
    }
    assert scripted.of("RegisterActivityType")[0].params == {
        "domain": "photos",
        "name": "Resize",
        "version": "1.0",
        "defaultTaskList": {"name": "images"},
        "defaultTaskHeartbeatTimeout": "3600",
        "defaultTaskScheduleToCloseTimeout": "3600",
        "defaultTaskScheduleToStartTimeout": "3600",
        "defaultTaskStartToCloseTimeout": "3600",
    }


def test_request_has_every_setting_of_an_activity() -> None:
    class Full(Resize):
        description = "Makes pictures small."
        task_priority = 4
        heartbeat_timeout = timedelta(seconds=9.5)

    made = body(request_for(Full, "photos"))
    assert made["description"] == "Makes pictures small."
    assert made["defaultTaskPriority"] == "4"
    assert made["defaultTaskHeartbeatTimeout"] == "10"


def test_request_has_every_setting_of_a_workflow() -> None:
    class Full(Album):
        child_policy = "REQUEST_CANCEL"
        task_priority = "-1"
        lambda_role = "role"
        task_start_to_close_timeout = "NONE"

    made = request_for(Full, "photos")
    assert isinstance(made, requests.RegisterWorkflowType)
    assert body(made) == {
        "domain": "photos",
        "name": "Album",
        "version": "1.0",
        "defaultTaskList": {"name": "albums"},
        "defaultTaskPriority": "-1",
        "defaultChildPolicy": "REQUEST_CANCEL",
        "defaultLambdaRole": "role",
        "defaultExecutionStartToCloseTimeout": "600",
        "defaultTaskStartToCloseTimeout": "NONE",
    }


async def test_registering_twice_changes_nothing(local: WatchedSwf) -> None:
    async with connected(local.url) as conn:
        first = await Photos(conn).register()
        second = await Photos(conn).register()
        compared = await Photos(conn).compare()
    assert set(first.created) == set(second.existing) == EVERYTHING
    assert second == compared
    assert second == Registration(existing=second.existing)


async def test_registering_twice_changes_nothing_over_a_plain_client_on_moto(
    moto_url: str, domain_name: str, bare_client: BareClient
) -> None:
    async with bare_client(moto_url) as client:
        photos = Photos(client)
        photos.name = domain_name
        assert len((await photos.register()).created) == 3
        again = await photos.register()
    assert len(again.existing) == 3
    assert again.differences == ()


async def test_many_workers_that_start_at_once_all_succeed(local: WatchedSwf) -> None:
    class Crowded(Photos):
        activity_types = [
            type(f"Made{n}", (Resize,), {"name": f"Made{n}"}) for n in range(12)
        ]

    async with connected(local.url) as conn, asyncio.TaskGroup() as group:
        tasks = [group.create_task(Crowded(conn).register()) for _ in range(4)]
    found = [task.result() for task in tasks]
    created = [subject for each in found for subject in each.created]
    assert len(created) == len(set(created)) == 14
    assert all(len(each.created) + len(each.existing) == 14 for each in found)


async def test_throttled_registration_goes_on(scripted: ScriptedSwf) -> None:
    for operation in ("RegisterDomain", "RegisterWorkflowType", "RegisterActivityType"):
        scripted.answer(operation, *[throttled()] * 8)
    found = await registered(scripted)
    assert set(found.created) == EVERYTHING
    assert scripted.count("RegisterActivityType") == 9


async def test_existing_domain_raises_when_asked_to(scripted: ScriptedSwf) -> None:
    exists(scripted)
    with pytest.raises(DomainAlreadyExistsFault):
        await registered(scripted, raise_exists=True)


async def test_existing_type_raises_when_asked_to(scripted: ScriptedSwf) -> None:
    exists(scripted)
    scripted.always("RegisterDomain", None)
    with pytest.raises(TypeAlreadyExistsFault):
        await registered(scripted, raise_exists=True)
    assert scripted.count("RegisterActivityType") == 1


async def test_echo_of_a_lost_answer_is_not_an_existing_domain(
    scripted: ScriptedSwf,
) -> None:
    """The first attempt registered it: raise_exists must not blame the caller."""
    exists(scripted)
    for operation, code in (
        ("RegisterDomain", "DomainAlreadyExistsFault"),
        ("RegisterWorkflowType", "TypeAlreadyExistsFault"),
        ("RegisterActivityType", "TypeAlreadyExistsFault"),
    ):
        scripted.answer(operation, Lost(), Fault(code, "it"))
    found = await registered(scripted, raise_exists=True)
    assert set(found.existing) == EVERYTHING


async def test_differences_are_named_and_logged(
    scripted: ScriptedSwf, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "flowser")
    exists(scripted)
    scripted.always(
        "DescribeDomain",
        DOMAIN | {"configuration": {"workflowExecutionRetentionPeriodInDays": "3"}},
    )
    registered_so = ALBUM_DETAIL["configuration"] | {
        "defaultTaskList": {"name": "old"},
        "defaultTaskPriority": "5",
    }
    scripted.always(
        "DescribeWorkflowType", ALBUM_DETAIL | {"configuration": registered_so}
    )
    deprecated = RESIZE_DETAIL["typeInfo"] | {"status": "DEPRECATED"}
    scripted.always("DescribeActivityType", RESIZE_DETAIL | {"typeInfo": deprecated})
    found = await registered(scripted)
    assert set(found.differences) == {
        Difference("domain photos", "retention_period", "30", "3"),
        Difference("workflow Album 1.0", "default_task_list", "albums", "old"),
        Difference("workflow Album 1.0", "default_task_priority", None, "5"),
        Difference("activity Resize 1.0", "status", "REGISTERED", "DEPRECATED"),
    }
    told = [words for level, words in logged(caplog) if level == "WARNING"]
    assert len(told) == 4
    assert all(w.endswith("; what is registered cannot be changed") for w in told)
    assert any(
        "workflow Album 1.0: default_task_list is 'albums' here and 'old' in SWF" in w
        for w in told
    )


async def test_default_that_is_not_registered_is_a_difference(
    scripted: ScriptedSwf,
) -> None:
    exists(scripted)
    scripted.always("DescribeActivityType", RESIZE_DETAIL | {"configuration": {}})
    found = await registered(scripted)
    assert {d.setting for d in found.differences} == {
        "default_task_list",
        "default_task_heartbeat_timeout",
        "default_task_schedule_to_close_timeout",
        "default_task_schedule_to_start_timeout",
        "default_task_start_to_close_timeout",
    }
    assert {d.registered for d in found.differences} == {None}


async def test_compare_registers_nothing_and_names_what_is_missing(
    scripted: ScriptedSwf,
) -> None:
    exists(scripted)
    scripted.always("DescribeActivityType", unknown_resource("Unknown type"))
    async with connected(scripted.url) as conn:
        found = await Photos(conn).compare()
    assert set(found.existing) == EVERYTHING - {"activity Resize 1.0"}
    assert found.missing == ("activity Resize 1.0",)
    assert found.created == ()
    assert not any(r.operation.startswith("Register") for r in scripted.requests)


async def test_compare_with_a_domain_that_is_missing_asks_no_further(
    scripted: ScriptedSwf,
) -> None:
    scripted.always("DescribeDomain", unknown_resource("Unknown domain: photos"))
    async with connected(scripted.url) as conn:
        found = await Photos(conn).compare()
    assert found == Registration(missing=("domain photos",))
    assert len(scripted.requests) == 1


@pytest.mark.parametrize(
    ("operation", "code", "raised"),
    [
        ("RegisterDomain", "LimitExceededFault", LimitExceededFault),
        ("RegisterWorkflowType", "DomainDeprecatedFault", DomainDeprecatedFault),
        ("RegisterActivityType", "LimitExceededFault", LimitExceededFault),
    ],
)
async def test_fault_of_swf_is_raised_when_all_has_ended(
    scripted: ScriptedSwf, operation: str, code: str, raised: type[Exception]
) -> None:
    scripted.always(operation, Fault(code, "photos"))
    with pytest.raises(raised):
        await registered(scripted)


async def test_setting_that_swf_would_refuse_is_refused_before(
    scripted: ScriptedSwf,
) -> None:
    class Slow(Resize):
        heartbeat_timeout = "soon"

    class Wrong(Photos):
        activity_types = [Slow]

    async with connected(scripted.url) as conn:
        with pytest.raises(InvalidArgument, match="heartbeat_timeout is 'soon'"):
            await Wrong(conn).register()
    assert scripted.count("RegisterActivityType") == 0


async def test_domain_without_types_is_registered_alone(scripted: ScriptedSwf) -> None:
    class Empty(Domain):
        name = "photos"

    async with connected(scripted.url) as conn:
        found = await Empty(conn).register()
    assert found == Registration(created=("domain photos",))

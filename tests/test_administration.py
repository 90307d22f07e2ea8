"""Describing, deprecating, tagging and listing what is registered."""

from typing import Any

import pytest

from flowser import shapes
from flowser.exceptions import (
    DomainAlreadyExistsFault,
    DomainDeprecatedFault,
    InvalidArgument,
    TooManyTagsFault,
    TypeAlreadyExistsFault,
    TypeDeprecatedFault,
    TypeNotDeprecatedFault,
    UnknownResourceFault,
)
from tests.conftest import BareClient
from tests.declared import Album, Photos, Resize, connected, offline
from tests.histories import ALBUM, RESIZE
from tests.support.answers import Fault, Recorded
from tests.support.scripted import ScriptedSwf

ARN = "arn:aws:swf:us-east-1:123456789012:/domain/photos"
DOMAIN: dict[str, Any] = {
    "domainInfo": {"name": "photos", "status": "REGISTERED", "arn": ARN},
    "configuration": {"workflowExecutionRetentionPeriodInDays": "30"},
}


async def test_domain_is_described_deprecated_and_taken_back_on_moto(
    moto_url: str, domain_name: str
) -> None:
    async with connected(moto_url) as conn:
        photos = Photos(conn)
        photos.name = domain_name
        with pytest.raises(UnknownResourceFault, match=domain_name):
            await photos.describe()
        await photos.register()
        detail = await photos.describe()
        assert detail.domain_info.name == domain_name
        assert detail.domain_info.status == shapes.RegistrationStatus.REGISTERED
        days = detail.configuration.workflow_execution_retention_period_in_days
        assert days == "30"
        await photos.deprecate()
        with pytest.raises(DomainDeprecatedFault):
            await photos.deprecate()
        assert (await photos.describe()).domain_info.status == "DEPRECATED"
        await photos.undeprecate()
        with pytest.raises(DomainAlreadyExistsFault):
            await photos.undeprecate()


@pytest.mark.parametrize("kind", [Album, Resize])
async def test_type_is_described_deprecated_and_taken_back_on_moto(
    moto_url: str, domain_name: str, kind: Any, bare_client: BareClient
) -> None:
    async with bare_client(moto_url) as client:
        photos = Photos(client)
        photos.name = domain_name
        await photos.register()
        detail = await photos.describe_type(kind)
        assert detail.type_info.status == "REGISTERED"
        task_list = detail.configuration.default_task_list
        assert task_list == shapes.TaskList(name=kind.task_list)
        await photos.deprecate_type(kind)
        with pytest.raises(TypeDeprecatedFault):
            await photos.deprecate_type(kind)
        assert (await photos.describe_type(kind)).type_info.status == "DEPRECATED"
        await photos.undeprecate_type(kind)
        with pytest.raises(TypeAlreadyExistsFault):
            await photos.undeprecate_type(kind)


async def test_types_are_listed_by_status_on_moto(
    moto_url: str, domain_name: str
) -> None:
    async with connected(moto_url) as conn:
        photos = Photos(conn)
        photos.name = domain_name
        await photos.register()
        await photos.deprecate_type(Resize)
        workflows = [t async for t in photos.registered_workflow_types()]
        activities = [t async for t in photos.registered_activity_types()]
        gone = [t async for t in photos.registered_activity_types(status="DEPRECATED")]
    assert [t.workflow_type for t in workflows] == [Album.workflow_type()]
    assert activities == []
    assert [t.activity_type for t in gone] == [Resize.activity_type()]


@pytest.mark.parametrize(
    ("type", "operation", "member"),
    [
        (Album, "WorkflowType", {"workflowType": ALBUM}),
        (Resize, "ActivityType", {"activityType": RESIZE}),
        (Album.workflow_type(), "WorkflowType", {"workflowType": ALBUM}),
        (Resize.activity_type(), "ActivityType", {"activityType": RESIZE}),
    ],
)
async def test_type_is_named_by_its_class_or_by_name_and_version(
    scripted: ScriptedSwf, type: Any, operation: str, member: dict[str, Any]
) -> None:
    async with connected(scripted.url) as conn:
        photos = Photos(conn)
        await photos.deprecate_type(type)
        await photos.undeprecate_type(type)
        await photos.delete_type(type)
    assert [request.operation for request in scripted.requests] == [
        f"{verb}{operation}" for verb in ("Deprecate", "Undeprecate", "Delete")
    ]
    for request in scripted.requests:
        assert request.params == {"domain": "photos"} | member


async def test_type_that_is_in_use_is_not_deleted(scripted: ScriptedSwf) -> None:
    scripted.answer("DeleteWorkflowType", Fault("TypeNotDeprecatedFault", "in use"))
    async with connected(scripted.url) as conn:
        with pytest.raises(TypeNotDeprecatedFault, match="in use"):
            await Photos(conn).delete_type(Album)


@pytest.mark.parametrize("type", ["Album", object, 7])
async def test_what_is_no_type_is_refused(type: Any) -> None:
    with pytest.raises(InvalidArgument, match="pass a subclass"):
        await offline().describe_type(type)


@pytest.mark.parametrize("kind", ["activity", "workflow"])
async def test_pages_of_types_are_asked_for_when_needed(
    scripted: ScriptedSwf, kind: str
) -> None:
    async def pages(recorded: Recorded) -> dict[str, Any]:
        number = int(recorded.params.get("nextPageToken", 1))
        ids = {"name": f"t-{number}", "version": "1"}
        found = {f"{kind}Type": ids, "status": "REGISTERED", "creationDate": 1.5e9}
        more = {"nextPageToken": str(number + 1)} if number < 3 else {}
        return {"typeInfos": [found]} | more

    operation = f"List{kind.title()}Types"
    scripted.always(operation, pages)
    async with connected(scripted.url) as conn:
        ask = getattr(Photos(conn), f"registered_{kind}_types")
        found = ask("t", reverse=True, page_size=1)
        await anext(found)
        assert scripted.count(operation) == 1
        assert len([each async for each in found]) == 2
    assert scripted.requests[1].params == {
        "domain": "photos",
        "registrationStatus": "REGISTERED",
        "name": "t",
        "reverseOrder": True,
        "maximumPageSize": 1,
        "nextPageToken": "2",
    }


async def test_status_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="status is 'OLD': choose one of REG"):
        await anext(offline().registered_activity_types(status="OLD"))


async def test_tags_are_read_set_and_taken_off(scripted: ScriptedSwf) -> None:
    scripted.always("DescribeDomain", DOMAIN)
    tags = {"tags": [{"key": "team", "value": "red"}, {"key": "flag"}]}
    scripted.always("ListTagsForResource", tags)
    async with connected(scripted.url) as conn:
        photos = Photos(conn)
        assert await photos.tags() == {"team": "red", "flag": ""}
        await photos.tag({"team": "blue", "cost": "1"})
        await photos.untag("flag", "cost")
    assert scripted.of("ListTagsForResource")[0].params == {"resourceArn": ARN}
    assert scripted.of("TagResource")[0].params == {
        "resourceArn": ARN,
        "tags": [{"key": "team", "value": "blue"}, {"key": "cost", "value": "1"}],
    }
    assert scripted.of("UntagResource")[0].params == {
        "resourceArn": ARN,
        "tagKeys": ["flag", "cost"],
    }


async def test_tags_of_a_domain_without_any_are_empty(scripted: ScriptedSwf) -> None:
    scripted.always("DescribeDomain", DOMAIN)
    async with connected(scripted.url) as conn:
        assert await Photos(conn).tags() == {}


async def test_more_tags_than_fifty_are_swfs_fault(scripted: ScriptedSwf) -> None:
    scripted.always("DescribeDomain", DOMAIN)
    scripted.answer("TagResource", Fault("TooManyTagsFault", "50"))
    async with connected(scripted.url) as conn:
        with pytest.raises(TooManyTagsFault):
            await Photos(conn).tag({"a": "b"})


async def test_domain_without_an_arn_cannot_be_tagged(scripted: ScriptedSwf) -> None:
    bare = DOMAIN | {"domainInfo": {"name": "photos", "status": "REGISTERED"}}
    scripted.always("DescribeDomain", bare)
    async with connected(scripted.url) as conn:
        with pytest.raises(InvalidArgument, match="has no ARN"):
            await Photos(conn).tags()


async def test_domain_is_tagged_on_moto(moto_url: str, domain_name: str) -> None:
    async with connected(moto_url) as conn:
        photos = Photos(conn)
        photos.name = domain_name
        await photos.register()
        await photos.tag({"team": "red", "cost": "1"})
        await photos.untag("cost")
        assert await photos.tags() == {"team": "red"}

"""Domains and types: registered, described, listed, deprecated, deleted, tagged.

Source:
    swf-semantics.md sections 1.2, 1.3, 1.6, 1.7 and 7.
"""

from typing import Any

from flowser.local.engine.quotas import Quotas
from tests.conformance.face import Swf
from tests.conformance.registry import scenario

#: These would change, or fill, an account that is used for something else.
_AWS = "domains cannot be deleted"


async def _register(swf: Swf, name: str, **more: Any) -> None:
    days = {"workflowExecutionRetentionPeriodInDays": "3"}
    await swf.call("RegisterDomain", **({"name": name} | days | more))


@scenario(aws=_AWS)
async def a_domain_is_described_as_it_was_registered(swf: Swf) -> None:
    name = f"{swf.domain} 2"
    tags = [{"key": "k", "value": "v"}]
    await _register(swf, name, description="what", tags=tags)
    arn = f"arn:aws:swf:us-east-1:123456789012:/domain/{name}"
    info = {"name": name, "status": "REGISTERED", "description": "what", "arn": arn}
    configuration = {"workflowExecutionRetentionPeriodInDays": "3"}
    described = await swf.call("DescribeDomain", name=name)
    assert described == {"domainInfo": info, "configuration": configuration}
    assert await swf.call("ListTagsForResource", resourceArn=arn) == {"tags": tags}
    days = {"workflowExecutionRetentionPeriodInDays": "NONE"}
    await swf.call("RegisterDomain", name=f"{name}3", **days)
    described = await swf.call("DescribeDomain", name=f"{name}3")
    assert described["configuration"] == days
    assert "description" not in described["domainInfo"]


@scenario(aws=_AWS, moto="10.2: types are not deprecated with their domain")
async def a_domain_takes_its_types_with_it(swf: Swf) -> None:
    """Section 1.7: runs go on, visibility too; nothing new begins."""
    run = await swf.start()
    await swf.call("DeprecateDomain", name=swf.domain)
    name = swf.domain
    await swf.refuses("DomainDeprecatedFault", name, "DeprecateDomain", name=name)
    deprecated = "DomainDeprecatedFault", name
    another = {"name": "new", "version": "1"}
    await swf.refuses(*deprecated, "RegisterWorkflowType", **another)
    await swf.refuses(*deprecated, "RegisterActivityType", **another)
    again = {"workflowId": "again", "workflowType": swf.order}
    await swf.refuses(*deprecated, "StartWorkflowExecution", **again)
    exists = "DomainAlreadyExistsFault", name
    days = {"workflowExecutionRetentionPeriodInDays": "1"}
    await swf.refuses(*exists, "RegisterDomain", name=name, **days)
    for kind, type in (("Workflow", swf.order), ("Activity", swf.pay)):
        member = {f"{kind.lower()}Type": type}
        described = await swf.call(f"Describe{kind}Type", **member)
        assert described["typeInfo"]["status"] == "DEPRECATED"
    await swf.decide(await swf.task(), swf.paying())
    (failed, _) = await swf.last(run, 2)
    assert failed[1]["cause"] == "ACTIVITY_TYPE_DEPRECATED"
    times = {"startTimeFilter": {"oldestDate": 0}}
    listed = await swf.call("ListOpenWorkflowExecutions", **times)
    assert len(listed["executionInfos"]) == 1
    await swf.call("UndeprecateDomain", name=name)
    await swf.refuses(*exists, "UndeprecateDomain", name=name)
    described = await swf.call("DescribeDomain", name=name)
    assert described["domainInfo"]["status"] == "REGISTERED"


@scenario(aws=_AWS, moto="10.2: UndeprecateDomain; a domain that is deprecated")
async def a_type_taken_back_in_a_deprecated_domain_starts_nothing(swf: Swf) -> None:
    await swf.call("DeprecateDomain", name=swf.domain)
    await swf.call("UndeprecateWorkflowType", workflowType=swf.order)
    await swf.refuses(
        "DomainDeprecatedFault",
        swf.domain,
        "StartWorkflowExecution",
        workflowId="w",
        workflowType=swf.order,
    )


async def _pages(swf: Swf, operation: str, what: str, **asked: Any) -> list[list[Any]]:
    """Read all pages of a list."""
    pages: list[list[Any]] = []
    token: dict[str, str] = {}
    while True:
        page = await swf.call(operation, **asked, **token)
        pages.append(page[what])
        if "nextPageToken" not in page:
            return pages
        token = {"nextPageToken": page["nextPageToken"]}


@scenario(aws=_AWS, moto="10.1: no paging anywhere")
async def domains_are_listed_by_name_both_ways(swf: Swf) -> None:
    """Section 7: reversed before paging [live-3p]."""
    for name in "bdca":
        await _register(swf, name)
    await swf.call("DeprecateDomain", name="d")
    asked = {"registrationStatus": "REGISTERED", "maximumPageSize": 3}
    names = []
    for backwards in (False, True):
        order = {"reverseOrder": backwards}
        pages = await _pages(swf, "ListDomains", "domainInfos", **asked, **order)
        names.append([[info["name"] for info in page] for page in pages])
    assert names == [
        [["a", "b", "c"], [swf.domain]],
        [[swf.domain, "c", "b"], ["a"]],
    ]
    gone = await swf.call("ListDomains", registrationStatus="DEPRECATED")
    assert [info["name"] for info in gone["domainInfos"]] == ["d"]
    full = await swf.call("ListDomains", **(asked | {"maximumPageSize": 4}))
    assert "nextPageToken" not in full


def _kinds(swf: Swf) -> list[tuple[str, str, dict[str, str]]]:
    return [
        ("Workflow", "workflowType", swf.order),
        ("Activity", "activityType", swf.pay),
    ]


@scenario(moto="10.2: type creationDate is a constant; name filter ignored")
async def types_are_listed_by_status_name_and_version(swf: Swf) -> None:
    for kind, member, type in _kinds(swf):
        for name, version in (("b", "2"), ("b", "1"), ("a", "1"), ("c", "1")):
            named = {"name": swf.id(name), "version": version}
            await swf.call(f"Register{kind}Type", **named, description="what")
        gone = {"name": swf.id("c"), "version": "1"}
        await swf.call(f"Deprecate{kind}Type", **{member: gone})
        operation = f"List{kind}Types"

        async def keys(**asked: Any) -> list[list[tuple[str, str]]]:
            pages = await _pages(swf, operation, "typeInfos", **asked)  # noqa: B023
            infos = [[info[member] for info in page] for page in pages]  # noqa: B023
            return [[(i["name"], i["version"]) for i in page] for page in infos]

        a, b = swf.id("a"), swf.id("b")
        everything = [(a, "1"), (b, "1"), (b, "2"), (type["name"], "1")]
        registered = {"registrationStatus": "REGISTERED"}
        if swf.backend.fresh:
            assert await keys(**registered) == [everything]
            backwards = {"reverseOrder": True, "maximumPageSize": 3}
            assert await keys(**registered, **backwards) == [
                everything[:0:-1],
                everything[:1],
            ]
        assert await keys(**registered, name=b) == [[(b, "1"), (b, "2")]]
        deprecated = {"registrationStatus": "DEPRECATED", "name": gone["name"]}
        page = await swf.call(operation, **deprecated)
        (info,) = page["typeInfos"]
        assert info["deprecationDate"] >= info["creationDate"]
        described = await swf.call(f"Describe{kind}Type", **{member: gone})
        assert described == {"typeInfo": info, "configuration": {}}
        for version, name in (("1", a), ("1", b), ("2", b)):
            named = {"name": name, "version": version}
            await swf.call(f"Deprecate{kind}Type", **{member: named})


@scenario(moto="10.1: page tokens are not checked")
async def page_tokens_of_lists_are_for_them_alone(swf: Swf) -> None:
    other = {"name": swf.pay["name"], "version": "2"}
    await swf.call("RegisterActivityType", **other)
    asked = {"registrationStatus": "REGISTERED", "maximumPageSize": 1}
    page = await swf.call("ListActivityTypes", **asked, name=swf.pay["name"])
    token = {"nextPageToken": page["nextPageToken"]}
    invalid = "ValidationException", "Invalid token"
    await swf.refuses(*invalid, "ListActivityTypes", **asked, **token)
    await swf.refuses(*invalid, "ListWorkflowTypes", **asked, **token)
    await swf.refuses(*invalid, "ListDomains", **asked, **token)
    named = asked | {"name": swf.pay["name"]}
    await swf.refuses(
        *invalid, "ListActivityTypes", **named, **token, reverseOrder=True
    )
    deprecated = named | {"registrationStatus": "DEPRECATED"}
    await swf.refuses(*invalid, "ListActivityTypes", **deprecated, **token)
    corrupt = {"nextPageToken": page["nextPageToken"][4:]}
    await swf.refuses(*invalid, "ListActivityTypes", **named, **corrupt)
    page = await swf.call("ListActivityTypes", **named, **token)
    assert [info["activityType"]["version"] for info in page["typeInfos"]] == ["2"]
    await swf.call("DeprecateActivityType", activityType=other)


@scenario(moto="10.1: DeleteActivityType and DeleteWorkflowType are absent")
async def types_go_through_their_life(swf: Swf) -> None:
    """Sections 1.2, 1.3 and 1.7."""
    for kind, member, type in _kinds(swf):
        named = f"{kind}Type=[name={type['name']}, version=1]"
        asked = {member: type}
        exists = "TypeAlreadyExistsFault", named
        await swf.refuses(*exists, f"Register{kind}Type", **type)
        await swf.refuses(*exists, f"Undeprecate{kind}Type", **asked)
        text = "The type is currently registered and cannot be deleted in its current"
        refused = "TypeNotDeprecatedFault", f"{text} state"
        await swf.refuses(*refused, f"Delete{kind}Type", **asked)
        await swf.call(f"Deprecate{kind}Type", **asked)
        deprecated = "TypeDeprecatedFault", named
        await swf.refuses(*deprecated, f"Deprecate{kind}Type", **asked)
        await swf.refuses(*exists, f"Register{kind}Type", **type)
        await swf.call(f"Undeprecate{kind}Type", **asked)
        described = await swf.call(f"Describe{kind}Type", **asked)
        assert described["typeInfo"]["status"] == "REGISTERED"
        assert "deprecationDate" not in described["typeInfo"]
        await swf.call(f"Deprecate{kind}Type", **asked)
        await swf.call(f"Delete{kind}Type", **asked)
        unknown = "UnknownResourceFault", f"Unknown type: {named}"
        for verb in ("Describe", "Deprecate", "Undeprecate", "Delete"):
            await swf.refuses(*unknown, f"{verb}{kind}Type", **asked)
        await swf.call(f"Register{kind}Type", **type)  # not known of SWF; allowed here


@scenario(moto="10.1: DeleteActivityType and DeleteWorkflowType are absent")
async def what_goes_on_goes_on_without_its_types(swf: Swf) -> None:
    """Section 1.7 [model]."""
    run = await swf.start()
    await swf.decide(await swf.task(), swf.paying())
    for kind, member, type in _kinds(swf):
        await swf.call(f"Deprecate{kind}Type", **{member: type})
        await swf.call(f"Delete{kind}Type", **{member: type})
    await swf.complete(await swf.work())
    await swf.decide(await swf.task(), swf.paying("b"))
    (failed, _) = await swf.last(run, 2)
    assert failed[1]["cause"] == "ACTIVITY_TYPE_DOES_NOT_EXIST"
    for kind, _, type in _kinds(swf):
        await swf.call(f"Register{kind}Type", **type)


@scenario(moto="not in section 10: nulls are written")
async def types_show_the_defaults_that_were_set(swf: Swf) -> None:
    """Section 1.7 [recorded]."""
    described = await swf.call("DescribeWorkflowType", workflowType=swf.order)
    assert described["configuration"] == {
        "defaultTaskList": swf.deciders,
        "defaultExecutionStartToCloseTimeout": "1000",
        "defaultTaskStartToCloseTimeout": "10",
        "defaultChildPolicy": "TERMINATE",
    }
    described = await swf.call("DescribeActivityType", activityType=swf.pay)
    assert described["configuration"] == {
        "defaultTaskList": swf.payers,
        "defaultTaskScheduleToStartTimeout": "100",
        "defaultTaskScheduleToCloseTimeout": "200",
        "defaultTaskStartToCloseTimeout": "50",
        "defaultTaskHeartbeatTimeout": "NONE",
    }


@scenario(moto="10.1: lambdaRole; activity defaultTaskPriority dropped")
async def types_show_all_that_can_be_set(swf: Swf) -> None:
    all_of = {
        "Workflow": {
            "defaultTaskPriority": "1",
            "defaultLambdaRole": "arn:aws:iam::123456789012:role/r",
            "defaultChildPolicy": "REQUEST_CANCEL",
        },
        "Activity": {"defaultTaskPriority": "-1"},
    }
    named = {"name": swf.id("all"), "version": "1.0"}
    for kind, member, _ in _kinds(swf):
        await swf.call(f"Register{kind}Type", **named, **all_of[kind])
        described = await swf.call(f"Describe{kind}Type", **{member: named})
        assert described["configuration"] == all_of[kind]
        await swf.call(f"Deprecate{kind}Type", **{member: named})


@scenario(aws=_AWS, moto="10.1: no limits")
async def a_domain_has_tags(swf: Swf) -> None:
    """Sections 1.2 and 8.1: at most 50; a tag may have no value."""
    arn = f"arn:aws:swf:us-east-1:123456789012:/domain/{swf.domain}"
    tags = [{"key": f"k{n}", "value": str(n)} for n in range(50)]
    await swf.call("TagResource", resourceArn=arn, tags=tags)
    again = [{"key": "k0", "value": "new"}]
    await swf.call("TagResource", resourceArn=arn, tags=again)
    more = [{"key": "more"}]
    await swf.refuses(
        "TooManyTagsFault", None, "TagResource", resourceArn=arn, tags=more
    )
    keys = [tag["key"] for tag in tags[1:]]
    await swf.call("UntagResource", resourceArn=arn, tagKeys=[*keys, "unknown"])
    await swf.call("TagResource", resourceArn=arn, tags=more)
    listed = await swf.call("ListTagsForResource", resourceArn=arn)
    assert listed == {"tags": [*again, {"key": "more", "value": ""}]}
    other = f"{arn}-unknown"
    for operation, members in (
        ("TagResource", {"tags": again}),
        ("UntagResource", {"tagKeys": ["k"]}),
        ("ListTagsForResource", {}),
    ):
        asked: dict[str, Any] = {"resourceArn": other} | members
        await swf.refuses("UnknownResourceFault", None, operation, **asked)
    many = [{"key": str(n)} for n in range(51)]
    await swf.refuses(
        "TooManyTagsFault",
        None,
        "RegisterDomain",
        name="tagged",
        workflowExecutionRetentionPeriodInDays="1",
        tags=many,
    )


@scenario(quotas=Quotas(domains=2, types=2))
async def there_are_so_many_domains_and_types(swf: Swf) -> None:
    """Section 8.1: deprecated ones count."""
    await _register(swf, "second")
    await swf.call("DeprecateDomain", name="second")
    limit = "LimitExceededFault"
    days = {"workflowExecutionRetentionPeriodInDays": "3"}
    await swf.refuses(limit, None, "RegisterDomain", name="third", **days)
    for kind, member, type in _kinds(swf):
        second = {"name": "second", "version": "1"}
        await swf.call(f"Register{kind}Type", **second)
        await swf.call(f"Deprecate{kind}Type", **{member: second})
        third = {"name": "third", "version": "1"}
        await swf.refuses(limit, None, f"Register{kind}Type", **third)
        await swf.call(f"Delete{kind}Type", **{member: second})
        await swf.call(f"Register{kind}Type", **third)
        assert type != third

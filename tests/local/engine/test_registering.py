"""Domains and types: registered, described, listed, deprecated, deleted."""

from typing import Any

import pytest

from flowser import requests, shapes
from tests.local.engine.rig import DOMAIN, Fault, Quotas, Rig

_PAY = shapes.ActivityType(name="pay", version="1")
_ARN = f"arn:aws:swf:us-east-1:123456789012:/domain/{DOMAIN}"


def _domain(name: str) -> requests.RegisterDomain:
    return requests.RegisterDomain(
        name=name, workflow_execution_retention_period_in_days="3"
    )


def _refused(rig: Rig, request: requests.Request[Any]) -> tuple[str, str | None]:
    with pytest.raises(Fault) as caught:
        rig.send(request)
    return caught.value.name, caught.value.message


def test_a_domain_is_described_as_it_was_registered() -> None:
    rig = Rig()
    rig.send(_domain("d"))
    assert rig.send(requests.DescribeDomain(name="d")) == {
        "domainInfo": {
            "name": "d",
            "status": "REGISTERED",
            "arn": "arn:aws:swf:us-east-1:123456789012:/domain/d",
        },
        "configuration": {"workflowExecutionRetentionPeriodInDays": "3"},
    }


def test_a_domain_is_registered_once() -> None:
    rig = Rig()
    assert _refused(rig, _domain(DOMAIN)) == ("DomainAlreadyExistsFault", DOMAIN)


def test_regions_are_worlds_of_their_own() -> None:
    rig = Rig()
    with pytest.raises(Fault, match="Unknown domain: shop"):
        rig.engine.call(rig.now, requests.DescribeDomain(name=DOMAIN), region="eu")


def test_domains_beyond_the_quota_are_refused() -> None:
    rig = Rig(quotas=Quotas(domains=2))
    rig.send(_domain("second"))
    assert _refused(rig, _domain("third"))[0] == "LimitExceededFault"


def test_lists_are_ascending_and_reversed_before_paging() -> None:
    rig = Rig()
    for name in "bca":
        rig.send(_domain(name))
    pages, token = [], None
    for _ in range(2):
        answer = rig.send(
            requests.ListDomains(
                registration_status=shapes.RegistrationStatus.REGISTERED,
                maximum_page_size=2,
                reverse_order=True,
                next_page_token=token,
            )
        )
        pages.append([info["name"] for info in answer["domainInfos"]])
        token = answer.get("nextPageToken")
    assert pages == [["shop", "c"], ["b", "a"]]
    assert token is None


def test_a_page_token_of_another_list_is_no_token() -> None:
    rig = Rig()
    rig.send(_domain("a"))
    registered = shapes.RegistrationStatus.REGISTERED
    first = requests.ListDomains(registration_status=registered, maximum_page_size=1)
    token = rig.send(first)["nextPageToken"]
    other = requests.ListDomains(
        registration_status=registered, reverse_order=True, next_page_token=token
    )
    assert _refused(rig, other) == ("ValidationException", "Invalid token")


def test_a_domain_takes_its_types_with_it() -> None:
    rig = Rig()
    rig.send(requests.DeprecateDomain(name=DOMAIN))
    described = rig.send(
        requests.DescribeActivityType(domain=DOMAIN, activity_type=_PAY)
    )
    assert described["typeInfo"]["status"] == "DEPRECATED"
    again = requests.DeprecateDomain(name=DOMAIN)
    assert _refused(rig, again) == ("DomainDeprecatedFault", DOMAIN)
    rig.send(requests.UndeprecateDomain(name=DOMAIN))
    back = requests.UndeprecateDomain(name=DOMAIN)
    assert _refused(rig, back) == ("DomainAlreadyExistsFault", DOMAIN)


def test_a_type_shows_the_defaults_that_were_set() -> None:
    rig = Rig()
    configuration = rig.send(
        requests.DescribeActivityType(domain=DOMAIN, activity_type=_PAY)
    )["configuration"]
    assert configuration["defaultTaskList"] == {"name": "payers"}
    assert "defaultTaskPriority" not in configuration


def test_a_type_is_deleted_after_it_was_deprecated() -> None:
    rig = Rig()
    delete = requests.DeleteActivityType(domain=DOMAIN, activity_type=_PAY)
    assert _refused(rig, delete)[0] == "TypeNotDeprecatedFault"
    rig.send(requests.DeprecateActivityType(domain=DOMAIN, activity_type=_PAY))
    rig.send(delete)
    name, message = _refused(rig, delete)
    assert name == "UnknownResourceFault"
    assert message == "Unknown type: ActivityType=[name=pay, version=1]"


def test_types_are_listed_by_status_and_name() -> None:
    rig = Rig()
    for version in "32":
        rig.send(
            requests.RegisterActivityType(domain=DOMAIN, name="pay", version=version)
        )
    rig.send(requests.RegisterActivityType(domain=DOMAIN, name="z", version="1"))
    rig.send(requests.DeprecateActivityType(domain=DOMAIN, activity_type=_PAY))
    answer = rig.send(
        requests.ListActivityTypes(
            domain=DOMAIN,
            registration_status=shapes.RegistrationStatus.REGISTERED,
            name="pay",
        )
    )
    versions = [info["activityType"]["version"] for info in answer["typeInfos"]]
    assert versions == ["2", "3"]


def test_tags_are_set_listed_taken_off_and_at_most_fifty() -> None:
    rig = Rig()
    tags = tuple(shapes.ResourceTag(key=f"k{n}", value=str(n)) for n in range(50))
    rig.send(requests.TagResource(resource_arn=_ARN, tags=tags))
    more = (shapes.ResourceTag(key="one", value="more"),)
    too_many = requests.TagResource(resource_arn=_ARN, tags=more)
    assert _refused(rig, too_many)[0] == "TooManyTagsFault"
    gone = tuple(tag.key for tag in tags[1:])
    rig.send(requests.UntagResource(resource_arn=_ARN, tag_keys=gone))
    listed = rig.send(requests.ListTagsForResource(resource_arn=_ARN))
    assert listed == {"tags": [{"key": "k0", "value": "0"}]}

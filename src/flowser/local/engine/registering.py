"""The 22 operations on domains and types.

Source:
    swf-semantics.md sections 1.2, 1.3, 1.6, 1.7 and 7.
"""

import functools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from flowser import requests, shapes
from flowser.local.engine import durations, facts, faults
from flowser.local.engine.state import Domain, Registered
from flowser.local.engine.tokens import PageToken
from flowser.local.engine.world import World

_REGISTERED, _DEPRECATED = shapes.RegistrationStatus


def _status(deprecated: object) -> str:
    return _DEPRECATED if deprecated else _REGISTERED


def _where(world: World, domain: Domain) -> dict[str, Any]:
    return {"region": domain.region, "domain": domain.name, "at": world.now}


def _tags(tags: Iterable[shapes.ResourceTag] | None) -> dict[str, str]:
    return {tag.key: tag.value or "" for tag in tags or ()}


def _check_tags(world: World, tags: dict[str, str]) -> None:
    if len(tags) > world.quotas.domain_tags:
        text = f"A domain has at most {world.quotas.domain_tags} tags"
        raise faults.modeled("TooManyTagsFault", text)


# -- domains ----------------------------------------------------------------------


def _register_domain(world: World, request: requests.RegisterDomain) -> None:
    domains = world.state.domains
    if (world.region, request.name) in domains:
        raise faults.modeled("DomainAlreadyExistsFault", request.name)
    if sum(region == world.region for region, _ in domains) >= world.quotas.domains:
        raise faults.limit("Limit on domains per account reached")
    tags = _tags(request.tags)
    _check_tags(world, tags)
    registered = facts.DomainRegistered(
        region=world.region,
        domain=request.name,
        at=world.now,
        retention=request.workflow_execution_retention_period_in_days,
        description=request.description,
        tags=tags,
    )
    world.emit(registered)


def _arn(world: World, domain: Domain) -> str:
    return f"arn:aws:swf:{domain.region}:{world.account}:/domain/{domain.name}"


def _domain_info(world: World, domain: Domain) -> dict[str, Any]:
    told = {
        "name": domain.name,
        "status": _status(domain.deprecated),
        "arn": _arn(world, domain),
    }
    if domain.description is not None:
        told["description"] = domain.description
    return told


def _describe_domain(world: World, request: requests.DescribeDomain) -> dict[str, Any]:
    domain = world.domain(request.name)
    kept = {"workflowExecutionRetentionPeriodInDays": domain.retention}
    return {"domainInfo": _domain_info(world, domain), "configuration": kept}


def _list_domains(world: World, request: requests.ListDomains) -> dict[str, Any]:
    wanted = request.registration_status == _DEPRECATED
    found = [
        (name, "")
        for (region, name), domain in world.state.domains.items()
        if region == world.region and domain.deprecated == wanted
    ]
    keys, token = _page(world, request, found, "domains")
    infos = [_domain_info(world, world.domain(name)) for name, _ in keys]
    return {"domainInfos": infos} | token


def _deprecate_domain(world: World, request: requests.DeprecateDomain) -> None:
    domain = world.domain(request.name)
    if domain.deprecated:
        raise faults.modeled("DomainDeprecatedFault", domain.name)
    world.emit(facts.DomainDeprecated(**_where(world, domain)))


def _undeprecate_domain(world: World, request: requests.UndeprecateDomain) -> None:
    domain = world.domain(request.name)
    if not domain.deprecated:
        raise faults.modeled("DomainAlreadyExistsFault", domain.name)
    world.emit(facts.DomainUndeprecated(**_where(world, domain)))


def _tagged(world: World, arn: str) -> Domain:
    name = arn.rpartition("/")[2]
    domain = world.state.domains.get((world.region, name))
    if domain is None or arn != _arn(world, domain):
        raise faults.unknown(f"Unknown resource: {arn}")
    return domain


def _tag(world: World, request: requests.TagResource) -> None:
    domain = _tagged(world, request.resource_arn)
    tags = _tags(request.tags)
    _check_tags(world, domain.tags | tags)
    world.emit(facts.DomainTagged(**_where(world, domain), tags=tags))


def _untag(world: World, request: requests.UntagResource) -> None:
    domain = _tagged(world, request.resource_arn)
    keys = tuple(request.tag_keys)
    world.emit(facts.DomainUntagged(**_where(world, domain), keys=keys))


def _list_tags(world: World, request: requests.ListTagsForResource) -> dict[str, Any]:
    tags = _tagged(world, request.resource_arn).tags
    return {"tags": [{"key": key, "value": value} for key, value in tags.items()]}


# -- types ------------------------------------------------------------------------


class Kind(NamedTuple):
    """A kind of types: its word, and the member that names a type of it."""

    word: str
    member: str


def _register_type(world: World, request: Any, *, kind: Kind) -> None:
    domain = world.domain(request.domain)
    # Not a fault that the model lists; but weakly attested, and documented as refused.
    if domain.deprecated:
        raise faults.modeled("DomainDeprecatedFault", domain.name)
    types = domain.types[kind.word]
    if (request.name, request.version) in types:
        named = faults.type_text(kind.word, request)
        raise faults.modeled("TypeAlreadyExistsFault", named)
    if len(types) >= world.quotas.types:
        raise faults.limit(f"Limit on {kind.word} types per domain reached")
    registered = facts.TypeRegistered(
        **_where(world, domain),
        kind=kind.word,
        name=request.name,
        version=request.version,
        defaults=_defaults(request),
        description=request.description,
    )
    world.emit(registered)


def _defaults(request: Any) -> dict[str, str]:
    found = {}
    for name, encoded in zip(
        request.__struct_fields__, request.__struct_encode_fields__, strict=True
    ):
        value = getattr(request, name)
        if name.startswith("default_") and value is not None:
            found[encoded] = value.name if name == "default_task_list" else str(value)
    return found


def _find(world: World, request: Any, kind: Kind) -> tuple[Domain, Registered, str]:
    domain = world.domain(request.domain)
    type = request.workflow_type if kind.word == "workflow" else request.activity_type
    named = faults.type_text(kind.word, type)
    found = domain.types[kind.word].get((type.name, type.version))
    if found is None:
        raise faults.unknown(f"Unknown type: {named}")
    return domain, found, named


def _type_info(kind: Kind, registered: Registered) -> dict[str, Any]:
    fact = registered.fact
    told: dict[str, Any] = {
        kind.member: {"name": fact.name, "version": fact.version},
        "status": _status(registered.deprecated_at is not None),
        "creationDate": durations.seconds(fact.at),
    }
    if fact.description is not None:
        told["description"] = fact.description
    if registered.deprecated_at is not None:
        told["deprecationDate"] = durations.seconds(registered.deprecated_at)
    return told


def _describe_type(world: World, request: Any, *, kind: Kind) -> dict[str, Any]:
    _, found, _ = _find(world, request, kind)
    configuration: dict[str, Any] = dict(found.fact.defaults)
    if "defaultTaskList" in configuration:
        configuration["defaultTaskList"] = {"name": configuration["defaultTaskList"]}
    return {"typeInfo": _type_info(kind, found), "configuration": configuration}


def _list_types(world: World, request: Any, *, kind: Kind) -> dict[str, Any]:
    domain = world.domain(request.domain)
    types = domain.types[kind.word]
    wanted = request.registration_status == _DEPRECATED
    found = [
        key
        for key, registered in types.items()
        if (registered.deprecated_at is not None) == wanted
        and request.name in {None, key[0]}
    ]
    scope = f"{kind.word}:{domain.name}:{request.name}"
    keys, token = _page(world, request, found, scope)
    return {"typeInfos": [_type_info(kind, types[key]) for key in keys]} | token


def _change(kind: Kind, registered: Registered) -> dict[str, Any]:
    fact = registered.fact
    return {"kind": kind.word, "name": fact.name, "version": fact.version}


def _deprecate_type(world: World, request: Any, *, kind: Kind) -> None:
    domain, found, named = _find(world, request, kind)
    if found.deprecated_at is not None:
        raise faults.modeled("TypeDeprecatedFault", named)
    changed = _where(world, domain) | _change(kind, found)
    world.emit(facts.TypeDeprecated(**changed))


def _undeprecate_type(world: World, request: Any, *, kind: Kind) -> None:
    domain, found, named = _find(world, request, kind)
    if found.deprecated_at is None:
        raise faults.modeled("TypeAlreadyExistsFault", named)
    changed = _where(world, domain) | _change(kind, found)
    world.emit(facts.TypeUndeprecated(**changed))


def _delete_type(world: World, request: Any, *, kind: Kind) -> None:
    # Whether SWF lets the name and version be registered again is not known: we do.
    domain, found, _ = _find(world, request, kind)
    if found.deprecated_at is None:
        text = "The type is currently registered and cannot be deleted in its current"
        raise faults.modeled("TypeNotDeprecatedFault", f"{text} state")
    changed = _where(world, domain) | _change(kind, found)
    world.emit(facts.TypeDeleted(**changed))


# -- pages ------------------------------------------------------------------------


def _page(
    world: World, request: Any, found: list[tuple[str, str]], what: str
) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """Cut a page out of keys; reversed before paging (section 7).

    A domain has at most 10,000 types of a kind: they are sorted when asked for.
    """
    backwards = bool(request.reverse_order)
    scope = f"{what}:{world.region}:{request.registration_status}:{backwards}"
    found.sort(reverse=backwards)
    if request.next_page_token:
        oldest = world.now - world.quotas.page_token * 1000
        name, version = world.tokens.read_page(request.next_page_token, scope, oldest)
        last = (str(name), str(version))
        found = [key for key in found if (key < last if backwards else key > last)]
    most = world.quotas.page_size
    most = min(request.maximum_page_size or most, most)
    shown = found[:most]
    if len(found) <= most:
        return shown, {}
    token = world.tokens.page(PageToken(scope, world.now, shown[-1]))
    return shown, {"nextPageToken": token}


_WORKFLOW = Kind("workflow", "workflowType")
_ACTIVITY = Kind("activity", "activityType")

_Handlers = dict[type[requests.Request[Any]], Callable[[World, Any], Any]]

_DOMAINS: _Handlers = {
    requests.RegisterDomain: _register_domain,
    requests.DescribeDomain: _describe_domain,
    requests.ListDomains: _list_domains,
    requests.DeprecateDomain: _deprecate_domain,
    requests.UndeprecateDomain: _undeprecate_domain,
    requests.TagResource: _tag,
    requests.UntagResource: _untag,
    requests.ListTagsForResource: _list_tags,
}

_TYPES: tuple[tuple[Callable[..., Any], type[Any], type[Any]], ...] = (
    (_register_type, requests.RegisterWorkflowType, requests.RegisterActivityType),
    (_describe_type, requests.DescribeWorkflowType, requests.DescribeActivityType),
    (_list_types, requests.ListWorkflowTypes, requests.ListActivityTypes),
    (_deprecate_type, requests.DeprecateWorkflowType, requests.DeprecateActivityType),
    (
        _undeprecate_type,
        requests.UndeprecateWorkflowType,
        requests.UndeprecateActivityType,
    ),
    (_delete_type, requests.DeleteWorkflowType, requests.DeleteActivityType),
)

OPERATIONS: _Handlers = _DOMAINS | {
    request: functools.partial(act, kind=kind)
    for act, *both in _TYPES
    for request, kind in zip(both, (_WORKFLOW, _ACTIVITY), strict=True)
}

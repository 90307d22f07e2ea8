"""Registering a domain and its types, and telling where the registered ones differ.

Source:
    swf-semantics.md sections 1.7 and 8.2 (registrations are throttled early).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple, cast

from flowser import requests, shapes
from flowser._flow import linting
from flowser._settings import all_checked, priority
from flowser.administration import Administration, AnyTypeClass
from flowser.exceptions import (
    DomainAlreadyExistsFault,
    TypeAlreadyExistsFault,
    UnknownResourceFault,
)
from flowser.limits import duration
from flowser.types import Activity, AnyActivity, AnyWorkflow, Workflow

log = logging.getLogger("flowser.registration")

#: Types are registered this many at a time: SWF refills 60 registrations a second.
_AT_A_TIME = 8


class Difference(NamedTuple):
    """Something that is registered otherwise than the code says.

    Attributes:
        subject: ``domain math``, ``activity Multiply 1.0.0``, ``workflow Sum 1.0.0``.
        setting: The name of the setting, as SWF has it in snake_case.
        here: What the code says.
        registered: What SWF has; None for nothing.
    """

    subject: str
    setting: str
    here: str | None
    registered: str | None

    def __str__(self) -> str:
        return (
            f"{self.subject}: {self.setting} is {self.here!r} here "
            f"and {self.registered!r} in SWF"
        )


class Registration(NamedTuple):
    """What registering, or comparing, found.

    Attributes:
        created: What was registered now.
        existing: What was registered before.
        missing: What is not registered (only when comparing).
        differences: What is registered otherwise than the code says. A registered
            type cannot be changed: give it a new version.
    """

    created: tuple[str, ...] = ()
    existing: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()

    def joined(self, other: "Registration") -> "Registration":
        """Put two findings together."""
        return Registration(
            self.created + other.created,
            self.existing + other.existing,
            self.missing + other.missing,
            self.differences + other.differences,
        )


class Registering(Administration):
    """Registers a domain and its types.

    Attributes:
        retention_period: Days for which closed executions are kept, 0 to 90.
        description: At most 1,024 characters.
        workflow_types: Subclasses of types.Workflow, and decorated functions.
        activity_types: Subclasses of types.Activity, and decorated functions.
        lint: What is done, before coroutine workflows are registered or served, with
            what they call that cannot be replayed: "warn" in the log, "raise", or
            "off"; see :func:`flowser.flow.lint`.
    """

    retention_period: str | int = "30"
    description: str | None = None
    workflow_types: Iterable[AnyWorkflow] | None = None
    activity_types: Iterable[AnyActivity] | None = None
    lint: linting.Lint = "warn"

    async def register(self, raise_exists: bool = False) -> Registration:
        """Register domain and associated types on AWS.

        What is registered already is left as it is; where it differs from the code, a
        warning is logged that names the differences.

        Args:
            raise_exists: Whether to raise when something is registered already.

        Returns:
            What was created, what existed, and where that differs.

        Raises:
            DomainAlreadyExistsFault: When the domain exists and *raise_exists* is set.
            TypeAlreadyExistsFault: When a type exists and *raise_exists* is set.
            DomainDeprecatedFault: When the domain is deprecated.
            LimitExceededFault: When a quota of domains or types is used up.
            LintFailed: When a workflow calls what cannot be replayed, and *lint* is
                "raise".
            InvalidArgument: Naming what SWF would refuse.
        """
        linting.check(all_checked(self.workflow_types, Workflow), self.lint)
        found = await self._register_domain(raise_exists)
        for each in await self._for_types(
            lambda kind: self._register_type(kind, raise_exists)
        ):
            found = found.joined(each)
        return _told(found)

    async def compare(self) -> Registration:
        """Compare what is registered with what the code says, and register nothing.

        Returns:
            What exists, what is missing, and what differs.
        """
        found = await self._compare_domain()
        if not found.missing:
            for each in await self._for_types(self._compare_type):
                found = found.joined(each)
        return _told(found)

    async def _for_types(
        self, do: Callable[[AnyTypeClass], Awaitable[Registration]]
    ) -> list[Registration]:
        places = asyncio.Semaphore(_AT_A_TIME)

        async def one(kind: AnyTypeClass) -> Registration:
            async with places:
                return await do(kind)

        kinds: list[AnyTypeClass] = [
            *all_checked(self.workflow_types, Workflow),
            *all_checked(self.activity_types, Activity),
        ]
        done = await asyncio.gather(*map(one, kinds), return_exceptions=True)
        for outcome in done:  # only when all have ended: nothing goes on behind
            if isinstance(outcome, BaseException):
                raise outcome
        return [each for each in done if isinstance(each, Registration)]

    async def _register_domain(self, raise_exists: bool) -> Registration:
        request = requests.RegisterDomain(
            name=self.name,
            description=self.description,
            workflow_execution_retention_period_in_days=str(self.retention_period),
        )
        try:
            await self.call(request)
        except DomainAlreadyExistsFault as fault:
            if raise_exists and not fault.retried:
                raise
            return await self._compare_domain()
        return Registration(created=(f"domain {self.name}",))

    async def _register_type(
        self, kind: AnyTypeClass, raise_exists: bool
    ) -> Registration:
        try:
            await self.call(request_for(kind, self.name))
        except TypeAlreadyExistsFault as fault:
            if raise_exists and not fault.retried:
                raise
            return await self._compare_type(kind)
        return Registration(created=(_subject(kind),))

    async def _compare_domain(self) -> Registration:
        subject = f"domain {self.name}"
        try:
            detail = await self.describe()
        except UnknownResourceFault:
            return Registration(missing=(subject,))
        days = detail.configuration.workflow_execution_retention_period_in_days
        here = {
            "retention_period": (str(self.retention_period), days),
            "status": (shapes.RegistrationStatus.REGISTERED, detail.domain_info.status),
        }
        return Registration(
            existing=(subject,), differences=_differences(subject, here)
        )

    async def _compare_type(self, kind: AnyTypeClass) -> Registration:
        subject = _subject(kind)
        try:
            detail = await self.describe_type(kind)
        except UnknownResourceFault:
            return Registration(missing=(subject,))
        ours, theirs = request_for(kind, self.name), detail.configuration
        here: dict[str, tuple[Any, Any]] = {
            name: (getattr(ours, name), getattr(theirs, name))
            for name in theirs.__struct_fields__
        }
        registered = shapes.RegistrationStatus.REGISTERED
        here["status"] = (registered, detail.type_info.status)
        return Registration(
            existing=(subject,), differences=_differences(subject, here)
        )


def request_for(
    kind: AnyTypeClass, domain: str
) -> requests.RegisterActivityType | requests.RegisterWorkflowType:
    """Build the request that registers a type, with the class's own as its defaults.

    Raises:
        InvalidArgument: When a duration is none.
    """
    if issubclass(kind, Activity):
        return requests.RegisterActivityType(
            **_common(kind, domain),
            **_defaults(
                kind,
                default_task_heartbeat_timeout="heartbeat_timeout",
                default_task_schedule_to_close_timeout="schedule_to_close_timeout",
                default_task_schedule_to_start_timeout="schedule_to_start_timeout",
                default_task_start_to_close_timeout="start_to_close_timeout",
            ),
        )
    return requests.RegisterWorkflowType(
        **_common(kind, domain),
        default_child_policy=cast("shapes.ChildPolicy", kind.child_policy),
        default_lambda_role=kind.lambda_role,
        **_defaults(
            kind,
            default_execution_start_to_close_timeout="execution_start_to_close_timeout",
            default_task_start_to_close_timeout="task_start_to_close_timeout",
        ),
    )


def _common(kind: AnyTypeClass, domain: str) -> dict[str, Any]:
    return {
        "domain": domain,
        "name": kind.name,
        "version": kind.version,
        "description": kind.description,
        "default_task_list": shapes.TaskList(name=kind.task_list),
        "default_task_priority": priority(kind.task_priority),
    }


def _defaults(kind: AnyTypeClass, **attributes: str) -> dict[str, Any]:
    """Write the durations of a class, under the names they are registered by."""
    return {
        member: duration(getattr(kind, attribute), attribute)
        for member, attribute in attributes.items()
    }


def _subject(kind: AnyTypeClass) -> str:
    what = "activity" if issubclass(kind, Activity) else "workflow"
    return f"{what} {kind.name} {kind.version}"


def _differences(
    subject: str, settings: dict[str, tuple[Any, Any]]
) -> tuple[Difference, ...]:
    plain = {
        name: (_plain(here), _plain(registered))
        for name, (here, registered) in settings.items()
    }
    return tuple(
        Difference(subject, name, here, registered)
        for name, (here, registered) in plain.items()
        if here != registered
    )


def _plain(value: Any) -> str | None:
    if isinstance(value, shapes.TaskList):
        return value.name
    return None if value is None else str(value)


def _told(found: Registration) -> Registration:
    for subject in found.created:
        log.info("registered %s", subject)
    for subject in found.missing:
        log.warning("%s is not registered", subject)
    for difference in found.differences:
        log.warning("%s; what is registered cannot be changed", difference)
    return found

"""What is done with a domain and its types once they are registered.

Source:
    swf-semantics.md sections 1.6 and 1.7.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import TypeVar

from flowser import requests, results, shapes
from flowser._settings import class_of
from flowser.calling import Calling
from flowser.exceptions import InvalidArgument
from flowser.types import Activity, AnyActivity, AnyWorkflow, Workflow
from flowser.visibility import pages

R = TypeVar("R", bound=shapes.Shape)

#: An activity or workflow class.
AnyTypeClass = type[Activity] | type[Workflow]

#: An activity or workflow, or the name and version of one.
AnyType = AnyActivity | AnyWorkflow | shapes.ActivityType | shapes.WorkflowType


class Administration(Calling):
    """Describes, deprecates, tags and lists."""

    async def describe(self) -> results.DomainDetail:
        """Describe the domain: status, retention, ARN.

        Raises:
            UnknownResourceFault: When it is not registered.
        """
        return await self.call(requests.DescribeDomain(name=self.name))

    async def deprecate(self) -> None:
        """Deprecate the domain, and every type in it; open executions go on.

        Raises:
            DomainDeprecatedFault: When it is deprecated already.
        """
        await self.call(requests.DeprecateDomain(name=self.name))

    async def undeprecate(self) -> None:
        """Take the deprecated domain back into use.

        Raises:
            DomainAlreadyExistsFault: When it is not deprecated.
        """
        await self.call(requests.UndeprecateDomain(name=self.name))

    async def tags(self) -> dict[str, str]:
        """Read the tags of the domain."""
        answer = await self.call(
            requests.ListTagsForResource(resource_arn=await self._arn())
        )
        return {tag.key: tag.value or "" for tag in answer.tags or ()}

    async def tag(self, tags: Mapping[str, str]) -> None:
        """Tag the domain.

        Args:
            tags: Keys of 1 to 128 characters, values of at most 256.

        Raises:
            TooManyTagsFault: When it would have more than fifty.
        """
        made = (shapes.ResourceTag(key=key, value=text) for key, text in tags.items())
        request = requests.TagResource(resource_arn=await self._arn(), tags=tuple(made))
        await self.call(request)

    async def untag(self, *keys: str) -> None:
        """Take tags off the domain."""
        await self.call(
            requests.UntagResource(resource_arn=await self._arn(), tag_keys=keys)
        )

    async def _arn(self) -> str:
        arn = (await self.describe()).domain_info.arn
        if arn is None:
            raise InvalidArgument(
                "domain", "has no ARN", "tag it where SWF tells one: not on an emulator"
            )
        return arn

    async def describe_type(
        self, type: AnyType
    ) -> results.ActivityTypeDetail | results.WorkflowTypeDetail:
        """Describe a type: status, dates, registered defaults.

        Args:
            type: A class, or a name and version.

        Raises:
            UnknownResourceFault: When it is not registered.
        """
        match _named(type):
            case shapes.ActivityType() as activity:
                return await self.call(
                    requests.DescribeActivityType(
                        domain=self.name, activity_type=activity
                    )
                )
            case workflow:
                return await self.call(
                    requests.DescribeWorkflowType(
                        domain=self.name, workflow_type=workflow
                    )
                )

    async def deprecate_type(self, type: AnyType) -> None:
        """Deprecate a type: nothing new can be started with it; what is open goes on.

        Args:
            type: A class, or a name and version.

        Raises:
            TypeDeprecatedFault: When it is deprecated already.
            UnknownResourceFault: When it is not registered.
        """
        await self._do(
            type, requests.DeprecateActivityType, requests.DeprecateWorkflowType
        )

    async def undeprecate_type(self, type: AnyType) -> None:
        """Take a deprecated type back into use.

        Args:
            type: A class, or a name and version.

        Raises:
            TypeAlreadyExistsFault: When it is not deprecated.
            UnknownResourceFault: When it is not registered.
        """
        await self._do(
            type, requests.UndeprecateActivityType, requests.UndeprecateWorkflowType
        )

    async def delete_type(self, type: AnyType) -> None:
        """Delete a deprecated type.

        Args:
            type: A class, or a name and version.

        Raises:
            TypeNotDeprecatedFault: When it was not deprecated before.
            UnknownResourceFault: When it is not registered.
        """
        await self._do(type, requests.DeleteActivityType, requests.DeleteWorkflowType)

    async def _do(
        self,
        type: AnyType,
        with_activity: Callable[..., requests.Request[results.Nothing]],
        with_workflow: Callable[..., requests.Request[results.Nothing]],
    ) -> None:
        match _named(type):
            case shapes.ActivityType() as activity:
                request = with_activity(domain=self.name, activity_type=activity)
            case workflow:
                request = with_workflow(domain=self.name, workflow_type=workflow)
        await self.call(request)

    async def registered_activity_types(
        self,
        name: str | None = None,
        *,
        status: shapes.RegistrationStatus | str = shapes.RegistrationStatus.REGISTERED,
        reverse: bool = False,
        page_size: int = 0,
    ) -> AsyncIterator[results.ActivityTypeInfo]:
        """List the activity types of the domain, by name.

        Args:
            name: Only those of this name.
            status: REGISTERED or DEPRECATED.
            reverse: Whether the last name comes first.
            page_size: Types in a page, at most 1,000; 0 leaves it to SWF.
        """
        request = requests.ListActivityTypes(
            domain=self.name,
            name=name,
            registration_status=registration_status(status),
            maximum_page_size=page_size or None,
            reverse_order=reverse or None,
        )
        async for page in pages(self.call, request):
            for info in page.type_infos:
                yield info

    async def registered_workflow_types(
        self,
        name: str | None = None,
        *,
        status: shapes.RegistrationStatus | str = shapes.RegistrationStatus.REGISTERED,
        reverse: bool = False,
        page_size: int = 0,
    ) -> AsyncIterator[results.WorkflowTypeInfo]:
        """List the workflow types of the domain, by name.

        Arguments are those of :meth:`registered_activity_types`.
        """
        request = requests.ListWorkflowTypes(
            domain=self.name,
            name=name,
            registration_status=registration_status(status),
            maximum_page_size=page_size or None,
            reverse_order=reverse or None,
        )
        async for page in pages(self.call, request):
            for info in page.type_infos:
                yield info


def registration_status(
    status: shapes.RegistrationStatus | str,
) -> shapes.RegistrationStatus:
    """Read a registration status.

    Raises:
        InvalidArgument: When it is none.
    """
    try:
        return shapes.RegistrationStatus(status)
    except ValueError:
        remedy = f"choose one of {', '.join(shapes.RegistrationStatus)}"
        raise InvalidArgument("status", f"is {status!r}", remedy) from None


def _named(type: AnyType) -> shapes.ActivityType | shapes.WorkflowType:
    if isinstance(type, shapes.ActivityType | shapes.WorkflowType):
        return type
    type = class_of(type)
    if hasattr(type, "activity_type"):
        activity: shapes.ActivityType = type.activity_type()
        return activity
    if hasattr(type, "workflow_type"):
        workflow: shapes.WorkflowType = type.workflow_type()
        return workflow
    remedy = "pass a subclass of types.Activity or types.Workflow, or its name"
    raise InvalidArgument("type", f"is {type!r}", remedy)

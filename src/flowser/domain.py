"""A domain: where types are registered, executions started and tasks polled for.

Source:
    swf-semantics.md sections 1.7 and 2.1; DESIGN section 4 rules 1 and 5.
"""

import asyncio
import contextlib
import functools
import logging
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
)
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, TypeVar

from flowser import requests, results, serializing, shapes, wire
from flowser._backoff import Backoff
from flowser._boto import wire_of
from flowser._polling import PASSING, Health, activity_poll, decision_poll
from flowser._settings import checked, class_of
from flowser.administration import registration_status
from flowser.exceptions import (
    BrokenHistory,
    EmptyTaskPollResult,
    InvalidArgument,
    WorkflowExecutionAlreadyStartedFault,
)
from flowser.executions import WorkflowExecution
from flowser.registration import Registering
from flowser.replicas import Replica, replica
from flowser.tasks import Activity, Decision
from flowser.types import Activity as ActivityClass
from flowser.types import AnyKind, AnyWorkflow, Type, Workflow
from flowser.visibility import Visibility, pages

Task = TypeVar("Task", Decision, Activity)

log = logging.getLogger("flowser.polling")

#: How often a run that has the id is looked for, before its fault is raised.
_LOOKS = 6


class Domain(Registering, Visibility):
    """Represents a Simple Workflow domain.

    Subclasses must set a name property. They may also set a retention_period property
    (defaults to '30').

    To register types, workflow_types and activity_types need to be set. They should be
    lists of types.Workflow and types.Activity subclasses, or of decorated functions.

    Attributes:
        name: 1 to 256 characters.
        serializer: Writes and reads the payloads of the domain; JSON by default.
        identity: Who polls, for the history: at most 256 characters.
    """

    serializer: serializing.Serializer = serializing.JSON
    identity: str | None = None

    def __init__(self, conn: Any) -> None:
        """Use a connection.

        Args:
            conn: What :func:`flowser.connect` gives, or an aiobotocore SWF client.

        Raises:
            InvalidArgument: When the class, or one of its types, is not complete.
            ConfigurationError: When *conn* is no connection.
        """
        if not isinstance(getattr(self, "name", None), str):
            attribute = f"{type(self).__name__}.name"
            raise InvalidArgument(attribute, "is missing", "set it to a string")
        if not isinstance(self.serializer, serializing.Serializer):
            remedy = "give an object that has dumps and loads"
            raise InvalidArgument("serializer", f"is {self.serializer!r}", remedy)
        _check_types("workflow_types", self.workflow_types, Workflow)
        _check_types("activity_types", self.activity_types, ActivityClass)
        self.conn = conn
        self.wire = wire_of(conn)
        self._stopping = asyncio.Event()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    @property
    def domain(self) -> "Domain":
        """The domain itself: tasks and executions can be reached by it."""
        return self

    def type_of(
        self, named: shapes.ActivityType | shapes.WorkflowType, /
    ) -> Type | None:
        """Give an instance of the domain's type of this name and version, or None."""
        known: Iterable[AnyKind] | None = self.workflow_types
        if isinstance(named, shapes.ActivityType):
            known = self.activity_types
        for kind in map(class_of, known or ()):
            if (kind.name, kind.version) == (named.name, named.version):
                instance: Type = kind(self)
                return instance
        return None

    # -- executions --

    async def start(
        self,
        t: AnyWorkflow,
        input: Any = None,
        *,
        if_running: Literal["raise", "attach"] = "raise",
        **options: Any,
    ) -> WorkflowExecution:
        """Start execution.

        Internally, this method creates an instance of t and calls its start method
        with the given input.

        Args:
            t: Subclass of types.Workflow, or a decorated function, whose input is made
                of arguments: ``domain.start(album, album.input(["a.png"]), ...)``.
            input: Any object that the serializer can write; None for none.
            if_running: "raise" when an open execution has the id, or "attach" to it.
            **options: For the type's ``start``.

        Returns:
            A handle on the run.

        Raises:
            WorkflowExecutionAlreadyStartedFault: When an open execution has the id; its
                ``workflow_id`` says which. To attach, it must be of the same type.
            ResponseLost: When the run may have begun, or not. It is not started again
                behind your back: look for the id first.
            UnknownResourceFault: When the domain or the type is not registered.
            TypeDeprecatedFault: When the type is deprecated.
        """
        if if_running not in ("raise", "attach"):
            remedy = 'choose "raise" or "attach"'
            raise InvalidArgument("if_running", f"is {if_running!r}", remedy)
        instance = checked(t, Workflow, "t")(self)
        backoff = Backoff(0.1, 2.0)
        while True:
            try:
                return await instance.start(input, **options)
            except WorkflowExecutionAlreadyStartedFault as fault:
                if if_running == "raise":
                    raise
                running = await self._running(fault.workflow_id, instance)
                if running is None and backoff.failures >= _LOOKS:
                    raise
            if running is not None:
                return running
            # It closed between the two calls, or is not listed yet: start again.
            await asyncio.sleep(backoff.pause())

    async def _running(
        self, workflow_id: str, caller: Workflow
    ) -> WorkflowExecution | None:
        """Find the open run of an id, if it is of the type."""
        async for info in self.open_executions(workflow_id=workflow_id):
            same = info.workflow_type == caller.workflow_type()
            if same and info.execution.workflow_id == workflow_id:
                return WorkflowExecution(info.execution, caller)
        return None

    def execution(
        self,
        workflow_id: str,
        run_id: str | None = None,
        t: AnyWorkflow | None = None,
    ) -> WorkflowExecution:
        """Make a handle on an execution that was started elsewhere.

        Args:
            workflow_id: Its id.
            run_id: Its run; None for the open run, or the latest closed one.
            t: Its type, whose ``result_type`` and serializer read its result.
        """
        ids = {"workflowId": workflow_id, "runId": run_id}
        caller = self if t is None else checked(t, Workflow, "t")(self)
        return WorkflowExecution(ids, caller)

    def replica(
        self, execution: WorkflowExecution, /, *, watchdog: float | None = 10.0
    ) -> AbstractAsyncContextManager[Replica]:
        """Replay a run for a block, in which it is asked more than one thing.

        ::

            async with domain.replica(handle) as replica:
                total, where = await replica.ask(Order.total), await replica.stack()

        Arguments and errors are those of ``execution.query``.
        """
        return replica(self, execution, watchdog)

    # -- tasks --

    def decisions(self, t: AnyKind) -> AsyncGenerator[Decision, None]:
        """High-level interface to iterate over decision tasks.

        This method polls for new tasks of the given type indefinitely: one long poll at
        a time, none while the body of the loop runs, so that it can be left at any
        moment. It yields whatever arrives on the type's task list.

        Polls that fail for a while (throttling, network, expired credentials) are
        repeated after growing pauses.

        Args:
            t: Subclass of types.Type.

        Raises:
            InvalidArgument: When *t* is no type.
            UnknownResourceFault: When the domain is not registered.
            AccessDenied: When the caller may not poll.
        """
        return self._iterate(checked(t, Type, "t"), self.poll_decision)

    def activities(self, t: AnyKind) -> AsyncGenerator[Activity, None]:
        """High-level interface to iterate over activity tasks.

        This method polls for new tasks of the given type indefinitely, as
        :meth:`decisions` does.

        Args:
            t: Subclass of types.Type.

        Raises:
            InvalidArgument: When *t* is no type.
            UnknownResourceFault: When the domain is not registered.
            AccessDenied: When the caller may not poll.
        """
        return self._iterate(checked(t, Type, "t"), self.poll_activity)

    def stop(self) -> None:
        """End this domain's iterations, after what is being polled was delivered.

        For good: an iteration that begins later ends at once. Make another instance
        of the domain to poll again.
        """
        self._stopping.set()
        wire.release_polls(self.wire)

    async def poll_decision(
        self, where: AnyKind | str, *, page_size: int = 0
    ) -> Decision:
        """Poll once for a decision task, for up to 60 seconds.

        Do not cancel it: a task that was handed out meanwhile is lost until it times
        out.

        Args:
            where: A type, for its task list, or the name of a task list.
            page_size: Events in a page, at most 1,000; 0 leaves it to SWF.

        Raises:
            EmptyTaskPollResult: When there was no task.
            ResponseLost: When a task may have been handed out, and did not arrive.
        """
        names = self.name, _list_name(where), self.identity
        request = decision_poll(*names, page_size)
        task = await self.call(request)
        caller = self._caller(task.workflow_type, where)
        return Decision(task, caller, request=request)

    async def poll_activity(self, where: AnyKind | str) -> Activity:
        """Poll once for an activity task, for up to 60 seconds.

        Do not cancel it: a task that was handed out meanwhile is lost until it times
        out.

        Args:
            where: A type, for its task list, or the name of a task list.

        Raises:
            EmptyTaskPollResult: When there was no task.
            ResponseLost: When a task may have been handed out, and did not arrive.
        """
        names = self.name, _list_name(where), self.identity
        task = await self.call(activity_poll(*names))
        return Activity(task, self._caller(task.activity_type, where))

    def _caller(
        self,
        named: shapes.ActivityType | shapes.WorkflowType,
        where: AnyKind | str,
    ) -> "Type | Domain":
        """Find what a task belongs to: the type polled for, another, or none known."""
        names = (named.name, named.version)
        kind = class_of(where)
        if not isinstance(kind, str) and (kind.name, kind.version) == names:
            found: Type = kind(self)
            return found
        return self.type_of(named) or self

    async def _iterate(
        self, t: type[Type], poll: Callable[[type[Type]], Awaitable[Task]]
    ) -> AsyncGenerator[Task, None]:
        """Poll, yield, poll; no scope is open while the consumer runs (PEP 789)."""
        health = Health(self.name, t.task_list)
        clock = asyncio.get_running_loop().time
        while not self._stopping.is_set():
            began = clock()
            try:
                task = await poll(t)
            except asyncio.CancelledError:
                health.lost("the poll was cancelled")
                raise
            except PASSING as error:
                if self._stopping.is_set() and isinstance(error, EmptyTaskPollResult):
                    return
                await self._pause(health.failed(error, clock() - began))
            except BrokenHistory as error:
                health.succeeded()  # the poll was
                log.warning(
                    "a decision task of %s is dropped, SWF will time it out: %s",
                    *(t.task_list, error),
                    extra={"domain": self.name, "task_list": t.task_list},
                )
            else:
                health.succeeded()
                yield task

    async def _pause(self, seconds: float) -> None:
        """Wait, but not beyond a stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


def _check_types(argument: str, types: Any, base: type[Type]) -> None:
    """Refuse what is no list of complete types, each of a name and version."""
    if types is None:
        return
    if not isinstance(types, Iterable) or isinstance(types, Iterator):
        remedy = f"give a list of subclasses of flowser.types.{base.__name__}"
        raise InvalidArgument(argument, f"is {types!r}", remedy)
    seen: dict[tuple[str, str], type[Type]] = {}
    for t in types:
        kind = checked(t, base, argument)
        key = (kind.name, kind.version)
        other = seen.setdefault(key, kind)
        if other is not kind:
            problem = f"has {other.__name__} and {kind.__name__}, both {' '.join(key)}"
            raise InvalidArgument(argument, problem, "change a name or a version")


def _list_name(where: AnyKind | str) -> str:
    return where if isinstance(where, str) else checked(where, Type, "where").task_list


async def list_domains(
    conn: Any,
    *,
    status: shapes.RegistrationStatus | str = shapes.RegistrationStatus.REGISTERED,
    reverse: bool = False,
    page_size: int = 0,
) -> AsyncIterator[results.DomainInfo]:
    """List the domains of the account and region, by name.

    Args:
        conn: What :func:`flowser.connect` gives, or an aiobotocore SWF client.
        status: REGISTERED or DEPRECATED.
        reverse: Whether the last name comes first.
        page_size: Domains in a page, at most 1,000; 0 leaves it to SWF.
    """
    line = wire_of(conn)
    request = requests.ListDomains(
        registration_status=registration_status(status),
        maximum_page_size=page_size or None,
        reverse_order=reverse or None,
    )
    async for page in pages(functools.partial(wire.send, line), request):
        for info in page.domain_infos:
            yield info

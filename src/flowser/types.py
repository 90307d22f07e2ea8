"""Types: what is known of an activity or a workflow before there is one.

A subclass says its name, version, task list and timeouts, and how an id is made from
an input. Its class methods build decisions; an instance, ``T(domain)``, starts
executions. A worker serves an activity that has ``run``, and a workflow that has
``run`` or ``decide``.

Source:
    swf-semantics.md sections 1.5, 1.7, 3.2 and 5.
"""

import builtins
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypedDict, TypeVar, Unpack

import msgspec

from flowser import requests, serializing, shapes
from flowser._settings import (
    annotations_of,
    durations,
    either,
    is_no_list,
    list_of,
    priority,
)
from flowser.calling import DomainLike
from flowser.decisions import ScheduleActivityTask, StartChildWorkflowExecution
from flowser.exceptions import (
    InvalidArgument,
    WorkflowExecutionAlreadyStartedFault,
)
from flowser.executions import WorkflowExecution
from flowser.limits import Duration


class Type:
    """Base class for Simple Workflow types (activities, workflows).

    Subclasses must set name, version and task_list. They implement
    ``get_id_from_input``, unless their inputs have a member ``id``.

    Attributes:
        name: 1 to 256 characters.
        version: 1 to 64 characters.
        task_list: Where the tasks of this type wait.
        description: At most 1,024 characters; registered with the type.
        task_priority: -2147483648 to 2147483647, the higher the sooner; None is 0.
        serializer: Writes and reads the payloads of this type; None leaves it to the
            domain.
        input_type: What inputs are decoded into; ``run``'s annotation when not set.
        result_type: What results are decoded into; ``run``'s annotation when not set.
        task: The task that a worker made this instance for; see
            :class:`flowser.Worker`.
    """

    name: str
    version: str
    task_list: str
    description: str | None = None
    task_priority: int | str | None = None
    serializer: serializing.Serializer | None = None
    input_type: Any = None
    result_type: Any = None
    task: Any
    _known_hints: tuple[Any, Any]

    def __init__(self, domain: DomainLike) -> None:
        """Bind the type to a domain.

        Args:
            domain: The domain in which it is registered.
        """
        self.domain = domain

    @staticmethod
    def get_id_from_input(input: Any) -> str:
        """Get id from input.

        This method is used to get unique workflow and activity ids. Override it to
        say what makes an input unique, of which the id is then made as it is. Unless a
        type does, this gives the input's own ``id``, and the type's name is put before
        it.

        Args:
            input: Input used when starting and scheduling workflows and tasks.

        Returns:
            1 to 256 characters without ``:``, ``/``, ``|`` and control characters.

        Raises:
            InvalidArgument: When the input has no ``id``.
        """
        found = input.get("id") if isinstance(input, Mapping) else None
        found = getattr(input, "id", None) if found is None else found
        named = isinstance(found, str | int | uuid.UUID) and found is not True
        if not named or found == "":
            problem = "has no id" if found is None else f"has {found!r} for an id"
            remedy = "implement get_id_from_input on the type, or pass an id"
            raise InvalidArgument("input", problem, remedy)
        return str(found)

    @classmethod
    def id_of(cls, input: Any) -> str:
        """Make the id of an execution, or of a task, from its input."""
        made = cls.get_id_from_input(input)
        if cls.get_id_from_input is Type.get_id_from_input:
            return f"{cls.name}-{made}"
        return made

    @classmethod
    def dump(cls, value: Any) -> str | None:
        """Write a payload where no domain is known; None is no payload."""
        if value is None:
            return None
        return (cls.serializer or serializing.current()).dumps(value)

    def dumps(self, value: Any) -> str | None:
        """Write a payload of this type in its domain; None is no payload."""
        return None if value is None else self._serializer.dumps(value)

    def load_input(self, text: str) -> Any:
        """Read an input of this type.

        Raises:
            SerializationError: When it is no such input.
        """
        return self._serializer.loads(text, self._hints()[0])

    def load_result(self, text: str) -> Any:
        """Read a result of this type.

        Raises:
            SerializationError: When it is no such result.
        """
        return self._serializer.loads(text, self._hints()[1])

    @classmethod
    def check_payloads(cls) -> None:
        """Refuse annotations of ``run`` that no payload can be read as.

        Raises:
            InvalidArgument: Naming what is wrong, before a task finds it out.
        """
        for name, hint in zip(("input", "result"), cls._hints(), strict=True):
            try:
                msgspec.json.Decoder(hint)
            except (TypeError, ValueError) as error:
                if cls.serializer in (None, serializing.JSON):
                    problem = f"has a type of {name} that JSON cannot be: {error}"
                    remedy = f"set {name}_type to one that it can be"
                    where = f"{cls.__name__}.run"
                    raise InvalidArgument(where, problem, remedy) from error

    @property
    def _serializer(self) -> serializing.Serializer:
        return self.serializer or self.domain.serializer

    @classmethod
    def _hints(cls) -> tuple[Any, Any]:
        """Say what inputs and results are: as set, else as ``run`` is annotated."""
        if "_known_hints" not in cls.__dict__:  # kept with the class, not beyond it
            cls._known_hints = cls._read_hints()
        return cls._known_hints

    @classmethod
    def _read_hints(cls) -> tuple[Any, Any]:
        run = getattr(object.__new__(cls), "run", None)
        annotated = (Any, Any)
        if run is not None and None in (cls.input_type, cls.result_type):
            annotated = annotations_of(f"{cls.__name__}.run", run)
        return (
            annotated[0] if cls.input_type is None else cls.input_type,
            annotated[1] if cls.result_type is None else cls.result_type,
        )


class Activity(Type):
    """Base class for activity types.

    Subclasses must set name, task_list and version properties, and may wrap the
    ``schedule`` class method. With ``run(self, input)``, async or plain, a worker can
    serve them.

    Attributes:
        heartbeat_timeout: Seconds between two heartbeats of a started task.
        schedule_to_close_timeout: Seconds from scheduling to the end.
        schedule_to_start_timeout: Seconds on the task list.
        start_to_close_timeout: Seconds from the start to the end.

    All four take digits, an int, a timedelta, or "NONE".
    """

    heartbeat_timeout: Duration = "3600"
    schedule_to_close_timeout: Duration = "3600"
    schedule_to_start_timeout: Duration = "3600"
    start_to_close_timeout: Duration = "3600"

    @classmethod
    def schedule(
        cls,
        input: Any = None,
        control: str | None = None,
        *,
        activity_id: str | None = None,
        task_list: str | None = None,
        task_priority: int | str | None = None,
        heartbeat_timeout: Duration | None = None,
        schedule_to_close_timeout: Duration | None = None,
        schedule_to_start_timeout: Duration | None = None,
        start_to_close_timeout: Duration | None = None,
    ) -> ScheduleActivityTask:
        """Build the decision that schedules this activity.

        Called from subclasses' schedule class method. What is not given is taken from
        the class.

        Args:
            input: Any object that the serializer can write; None for none.
            control: A note to yourself in the history, at most 32,768 characters.
            activity_id: Unique among the open activities of the run.
            task_list: Where the task waits.
            task_priority: The higher the sooner.
            heartbeat_timeout: Seconds. Workers heartbeat by the class's, for SWF does
                not tell them this one: do not make it shorter than that.
            schedule_to_close_timeout: Seconds.
            schedule_to_start_timeout: Seconds.
            start_to_close_timeout: Seconds.

        Raises:
            SerializationError: When the input cannot be written.
            InvalidArgument: When a duration is none, or no id can be made.

        Source:
            swf-semantics.md section 3.2, ScheduleActivityTask.
        """
        given = {
            "heartbeat_timeout": heartbeat_timeout,
            "schedule_to_close_timeout": schedule_to_close_timeout,
            "schedule_to_start_timeout": schedule_to_start_timeout,
            "start_to_close_timeout": start_to_close_timeout,
        }
        return ScheduleActivityTask(
            activity_type=cls.activity_type(),
            activity_id=cls.id_of(input) if activity_id is None else activity_id,
            control=control,
            input=cls.dump(input),
            task_list=list_of(cls, task_list),
            task_priority=priority(task_priority, cls.task_priority),
            **durations(cls, given),
        )

    @classmethod
    def activity_type(cls) -> shapes.ActivityType:
        """Name this type as SWF does."""
        return shapes.ActivityType(name=cls.name, version=cls.version)


class RunOptions(TypedDict, total=False):
    """What a run may have otherwise than its class says; None is as the class says."""

    child_policy: str | None
    execution_start_to_close_timeout: Duration | None
    lambda_role: str | None
    tag_list: Iterable[str] | None
    task_list: str | None
    task_priority: int | str | None
    task_start_to_close_timeout: Duration | None


class Workflow(Type):
    """Base class for workflow types.

    Subclasses must set name, version and task_list properties, and may wrap the
    ``start`` method and the ``start_child`` class method. A worker can serve them with
    ``async def run(self, input)``, which it replays (:mod:`flowser.flow`), or with
    ``async def decide(self, decision)``, which decides by looking at the history.

    Attributes:
        child_policy: What happens to open children when a run is terminated or times
            out: TERMINATE, REQUEST_CANCEL or ABANDON.
        default_filter_tag: The tag that lists of this type's executions filter by,
            instead of by type; None filters by type.
        default_tag_list: Tags of an execution, at most 5, when its start gives none.
        execution_start_to_close_timeout: Seconds that a run may be open.
        task_start_to_close_timeout: Seconds that a decision may take.
        lambda_role: The IAM role with which Lambda functions are invoked.

    The timeouts take digits, an int or a timedelta; the second also "NONE".
    """

    child_policy: str = "TERMINATE"
    default_filter_tag: str | None = None
    default_tag_list: Iterable[str] | None = None
    execution_start_to_close_timeout: Duration = "600"
    task_start_to_close_timeout: Duration = "120"
    lambda_role: str | None = None

    @classmethod
    def start_child(
        cls,
        input: Any = None,
        control: str | None = None,
        *,
        workflow_id: str | None = None,
        **options: Unpack[RunOptions],
    ) -> StartChildWorkflowExecution:
        """Start child workflow execution.

        input is serialized and a workflow id is generated from it using
        get_id_from_input. What is not given is taken from the class.

        Args:
            input: Any object that the serializer can write; None for none.
            control: A note to yourself in the history, at most 32,768 characters.
            workflow_id: Unique among the open executions of the domain.
            **options: Those of :meth:`start`.

        Raises:
            SerializationError: When the input cannot be written.
            InvalidArgument: When an option is none of them, or a duration is none.

        Source:
            swf-semantics.md sections 3.2 and 6.4.
        """
        return StartChildWorkflowExecution(
            workflow_type=cls.workflow_type(),
            workflow_id=cls.id_of(input) if workflow_id is None else workflow_id,
            control=control,
            input=cls.dump(input),
            **cls.run_options(**options),
        )

    async def start(
        self,
        input: Any = None,
        *,
        workflow_id: str | None = None,
        **options: Unpack[RunOptions],
    ) -> WorkflowExecution:
        """Start an execution of this type.

        Args:
            input: Any object that the serializer can write; None for none.
            workflow_id: Unique among the open executions of the domain; made from the
                input when not given.
            **options: What is not to be as the class says (:class:`RunOptions`):
                task_list, task_priority, child_policy, tag_list (at most 5),
                lambda_role, and execution_start_to_close_timeout and
                task_start_to_close_timeout (seconds).

        Returns:
            A handle on the run.

        Raises:
            WorkflowExecutionAlreadyStartedFault: When an open execution has the id.
            UnknownResourceFault: When the domain or the type is not registered.
            TypeDeprecatedFault: When the type is deprecated.
            ResponseLost: When the run may have begun, or not. It is not started again
                behind your back: look for the id first.
            InternalFailure: Likewise.
            SerializationError: When the input cannot be written.
            InvalidArgument: When SWF would refuse an argument.

        Source:
            swf-semantics.md section 1.7, StartWorkflowExecution.
        """
        with serializing.using(self._serializer):
            request = requests.StartWorkflowExecution(
                domain=self.domain.name,
                workflow_type=self.workflow_type(),
                workflow_id=self.id_of(input) if workflow_id is None else workflow_id,
                input=self.dump(input),
                **self.run_options(**options),
            )
        try:
            run = await self.domain.call(request)
        except WorkflowExecutionAlreadyStartedFault as fault:
            fault.workflow_id = request.workflow_id
            raise
        ids = shapes.WorkflowExecution(
            workflow_id=request.workflow_id, run_id=run.run_id or ""
        )
        return WorkflowExecution(ids, self)

    @classmethod
    def run_options(cls, **given: Unpack[RunOptions]) -> dict[str, Any]:
        """Resolve what a start, a child's start and a continuation have in common.

        Raises:
            InvalidArgument: When there is no such option, or a duration is none.
        """
        known = RunOptions.__optional_keys__
        for name in given.keys() - known:
            remedy = f"use {', '.join(sorted(known))}"
            raise InvalidArgument(name, "is no option of a run", remedy)
        tags = given.get("tag_list")
        tags = cls.default_tag_list if tags is None else tags
        timeouts: dict[str, Duration | None] = {
            "execution_start_to_close_timeout": given.get(
                "execution_start_to_close_timeout"
            ),
            "task_start_to_close_timeout": given.get("task_start_to_close_timeout"),
        }
        return {
            "child_policy": either(given.get("child_policy"), cls.child_policy),
            "lambda_role": either(given.get("lambda_role"), cls.lambda_role),
            "tag_list": tags if is_no_list(tags) else tuple(tags or ()),
            "task_list": list_of(cls, given.get("task_list")),
            "task_priority": priority(given.get("task_priority"), cls.task_priority),
            **durations(cls, timeouts),
        }

    @classmethod
    def workflow_type(cls) -> shapes.WorkflowType:
        """Name this type as SWF does."""
        return shapes.WorkflowType(name=cls.name, version=cls.version)


T_co = TypeVar("T_co", bound=Type, covariant=True)


class Described(Protocol[T_co]):
    """What stands for a class: a decorated function (:mod:`flowser.flow`)."""

    @property
    def type(self) -> builtins.type[T_co]:
        """The class."""
        ...


#: An activity class, or a function that was made one.
AnyActivity = type[Activity] | Described[Activity]

#: A workflow class, or a function that was made one.
AnyWorkflow = type[Workflow] | Described[Workflow]

#: Either.
AnyKind = type[Type] | Described[Type]

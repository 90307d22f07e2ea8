"""Who stands in for what, and what becomes of a call.

Source:
    issue 4 section 4 (activity stand-ins).
"""

import asyncio
import inspect
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from flowser import flow, results, types
from flowser._flow.current import needed
from flowser._flow.declaring import Nowhere
from flowser.exceptions import Error, InvalidArgument
from flowser.replay.state import State
from flowser.testing.signatures import Signature
from flowser.testing.standins import Call, Effect, StandIn

Described = flow.Activity[..., Any] | flow.Workflow[..., Any]

_BASES = ((types.Activity, flow.activity), (types.Workflow, flow.workflow))

_WHAT = "pass an activity or a workflow, as it was decorated, or its name"


def describe(what: Any) -> Described:
    """Give the description of an activity or a workflow; a class may have none.

    Raises:
        InvalidArgument: When it is neither.
    """
    if isinstance(what, flow.Activity | flow.Workflow):
        return what
    decorate: Any
    for base, decorate in _BASES:
        if isinstance(what, type) and issubclass(what, base):
            described: Described = decorate(what)
            return described
    name = getattr(what, "__qualname__", repr(what))
    raise InvalidArgument(name, "is no activity and no workflow", _WHAT)


class Taken(NamedTuple):
    """A call that a stand-in took.

    Attributes:
        effect: What it comes to.
        signature: Of what was called.
        arguments: What it was called with.
    """

    effect: Effect
    signature: Signature
    arguments: inspect.BoundArguments


class Cast:
    """All stand-ins of a test.

    Attributes:
        calls: Of activities, and of children that a stand-in took, in order.
        roots: The workflow ids of what the test itself started: nobody stands in there.
        hear: Told of what is wrong with a stand-in.
    """

    def __init__(self) -> None:
        """Have none yet."""
        self.calls: list[Call] = []
        self.roots: set[str] = set()
        self.hear: Callable[[Exception], object] = lambda _: None
        self._stand_ins: list[tuple[type[types.Type] | str, StandIn]] = []
        self._signatures: dict[type[types.Type], Signature] = {}
        self._tasks: dict[str, Taken] = {}  # by token
        self._runs: dict[str, Taken | None] = {}  # by run id
        self._told: set[str] = set()  # of either
        self._lock = threading.Lock()

    @property
    def unused(self) -> list[StandIn]:
        """Those that have a name only, and were not called: it may be wrong."""
        named = (found for key, found in self._stand_ins if isinstance(key, str))
        return [found for found in named if not found.calls]

    def forget(self) -> None:
        """Have none any more."""
        self._stand_ins.clear()

    def replace(self, what: Any) -> StandIn:
        """Make a stand-in; see :meth:`LocalSwf.replace`."""
        if isinstance(what, str) and what:
            return self._add(what, StandIn(what))
        if isinstance(what, flow.LambdaFunction):
            remedy = "give a function to LocalSwf(functions={name: function})"
            raise InvalidArgument("what", "is a Lambda function", remedy)
        described = describe(what)
        found = StandIn(described.type.name, self.signature(described))
        return self._add(described.type, found)

    def _add(self, key: type[types.Type] | str, stand_in: StandIn) -> StandIn:
        self._stand_ins.append((key, stand_in))
        return stand_in

    def find(self, kind: type[types.Type]) -> StandIn | None:
        """Find what stands in for a type: of several, the latest."""
        for key, found in reversed(self._stand_ins):
            if key in (kind, kind.name):
                return found
        return None

    def signature(self, described: Described) -> Signature:
        """Give the signature of an activity or a workflow."""
        kind = described.type
        if kind not in self._signatures:
            instance = kind(Nowhere())
            self._signatures[kind] = Signature(instance, described.function)
        return self._signatures[kind]

    # -- activities --

    def receive(self, task: results.ActivityTask, described: Described) -> bool:
        """Note a call that is handed out.

        Args:
            task: What a poll brought.
            described: The activity.

        Returns:
            Whether a worker is to hear of it.
        """
        arguments = self._arguments(described, task.input)
        if arguments is None:
            return True  # whoever handles it says so
        attempt = task.activity_id.rpartition("~")[2]
        call = Call(
            task.activity_type.name,
            arguments.args,
            arguments.kwargs,
            int(attempt) if attempt != task.activity_id and attempt.isdigit() else 1,
            task.activity_id,
            task.workflow_execution.workflow_id,
        )
        self.calls.append(call)
        stand_in = self.find(described.type)
        if stand_in is None:
            return True
        taken = self._taken(stand_in, call, described, arguments)
        if taken.effect.how == "times out":
            return False
        self._tasks[task.task_token] = taken
        return True

    def _arguments(
        self, described: Described, text: str | None
    ) -> inspect.BoundArguments | None:
        """Read arguments; None when these cannot be read."""
        signature = self.signature(described)
        try:
            input = None if text is None else signature.instance.load_input(text)
            return signature.arguments(input)
        except (Error, TypeError, ValueError):
            return None

    def _taken(
        self,
        stand_in: StandIn,
        call: Call,
        described: Described,
        arguments: inspect.BoundArguments,
    ) -> Taken:
        signature = self.signature(described)
        try:
            effect = stand_in.take(call, signature)
        except Error as error:
            self.hear(error)
            effect = Effect("raises", error)
        return Taken(effect, signature, arguments)

    async def _perform(self, taken: Taken, key: str) -> Any:
        how, what, _ = taken.effect
        if how == "times out":
            await asyncio.Event().wait()
        if how == "raises":
            raise what if isinstance(what, type) else what.with_traceback(None)
        if how == "runs":
            found = taken.signature.call(what, taken.arguments)
            what = await found if inspect.isawaitable(found) else found
            self._check(taken.signature, what, key)
        return what

    def _check(self, signature: Signature, result: Any, key: str) -> None:
        """Look at what a function returned; a replay is told of once."""
        try:
            signature.check_result(result)
        except InvalidArgument as error:
            if key not in self._told:
                self._told.add(key)
                self.hear(error)
            raise

    # -- in place of the code of a type --

    def understudy(self, described: Described) -> type[types.Type]:
        """Make a class of a type that asks its stand-in what to do, if it has one."""
        kind: Any = described.type
        hints = kind._hints()  # noqa: SLF001 - for its subclass
        own: dict[str, Any] = {"input_type": hints[0], "result_type": hints[1]}
        made: Any = type(kind.__name__, (kind,), own)

        async def act(instance: Any, _: Any) -> Any:
            token = instance.task.task_token
            return await self._perform(self._tasks.pop(token), token)

        async def decide(instance: Any, input: Any) -> Any:
            run = needed("a stand-in")
            taken = self._enter(run, described, input)
            if taken is None:
                return await kind.run(instance, input)
            return await self._perform(taken, run.run_id)

        made.run = act if issubclass(kind, types.Activity) else decide
        understudy: type[types.Type] = made
        return understudy

    def _enter(self, run: State, described: Described, input: Any) -> Taken | None:
        """Take a run, the first time that it is seen; in the thread of its code."""
        with self._lock:
            if run.run_id in self._runs:
                return self._runs[run.run_id]
            stand_in = self.find(described.type)
            taken = None
            if stand_in is not None and run.workflow_id not in self.roots:
                arguments = self.signature(described).arguments(input)
                ids = run.workflow_id, run.workflow_id
                name = described.type.name
                call = Call(name, arguments.args, arguments.kwargs, 1, *ids)
                self.calls.append(call)
                taken = self._taken(stand_in, call, described, arguments)
            self._runs[run.run_id] = taken
            return taken

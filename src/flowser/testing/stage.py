"""Where workflows are run that have no domain of their own, and who serves them.

Strategy: the domain learns of types from the calls that workflow code makes. Each call
names its activity or workflow; before the decision goes out, what is new among them is
registered and served. So there is nothing to be listed, and nothing can be missing.

A call is taken by its stand-in when its task is handed out. One that is to time out is
taken there too: nobody hears of it any more, as of a task whose worker was killed.

Source:
    issue 4 section 4.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, Generic, TypeVar

from flowser import decisions, flow, requests, results, shapes, types
from flowser._deps import deps, provide
from flowser._flow import linting
from flowser._lean import Connection
from flowser.domain import Domain
from flowser.exceptions import Error, InvalidArgument, TypeAlreadyExistsFault
from flowser.executions import WorkflowExecution
from flowser.registration import request_for
from flowser.replay.commands import Command
from flowser.replay.operations import Operation
from flowser.replay.state import State
from flowser.testing.casting import Cast, Described
from flowser.testing.hosting import Hosting
from flowser.testing.standins import Call

T = TypeVar("T")
S = TypeVar("S", bound=shapes.Shape)

#: Whether it is an activity, its name, and its version.
_Key = tuple[bool, str, str]

_NOTHING = object()


class StageDomain(Domain):
    """A domain of whatever is run; what goes through it is seen by its stage."""

    name = "flowser-testing"

    def __init__(self, conn: Connection, stage: "Stage") -> None:
        """Have no types yet."""
        super().__init__(conn)
        self.workflow_types: list[Any] = []
        self.activity_types: list[Any] = []
        self._stage = stage

    async def call(self, request: requests.Request[S], /) -> S:
        """Send a request to SWF, when all is known that it speaks of."""
        return await self._stage.through(request, super().call)


class _Noting(dict[str, Command]):
    """What a run asks for; tells of what it calls, and is in no traceback."""

    def __init__(self, see: Callable[[Described], object]) -> None:
        super().__init__()
        self._see = see

    def __setitem__(self, key: str, command: Command) -> None:
        super().__setitem__(key, command)
        if isinstance(command, Operation):
            described = getattr(command.plan.make, "__self__", None)
            if isinstance(described, flow.Activity | flow.Workflow):
                self._see(described)


class Stage:
    """Runs workflows, and serves what they call."""

    def __init__(self, conn: Connection, cast: Cast, options: Mapping[str, Any]):
        """Begin nothing yet.

        Args:
            conn: To a local SWF.
            cast: What stands in for what.
            options: Of the worker.
        """
        self.cast = cast
        cast.hear = self._hear
        self._loop = asyncio.get_running_loop()
        self._domain = StageDomain(conn, self)
        self._worker = Hosting(
            self._domain, options, hear=self._hear, watch=self._watch
        )
        self._known: dict[_Key, Described] = {}
        self._new: dict[_Key, Described] = {}
        self._learning = asyncio.Lock()
        self._understudies: set[type[types.Type]] = set()
        self._deps: Any = _NOTHING
        self._trouble = self._loop.create_future()
        self._beginning = asyncio.Lock()
        self._closing = asyncio.Event()
        self._host: asyncio.Task[None] | None = None

    # -- life --

    async def start(self, workflow: flow.Workflow[..., T], input: Any) -> "LocalRun[T]":
        """Start a run, and serve it.

        Raises:
            InvalidArgument: When a type is not complete.
        """
        with contextlib.suppress(LookupError):
            self._deps = deps()
        self._see(workflow)
        options: dict[str, Any] = workflow._run_options()  # noqa: SLF001 - its own kit
        id, kind = workflow._options.get("id"), workflow.type  # noqa: SLF001 - as above
        id = id or f"{kind.name}-{len(self.cast.roots) + 1}"
        self.cast.roots.add(id)
        await self._begin()
        await self._learn()
        self._worker.poll(decisions=[options.get("task_list") or kind.task_list])
        handle = await kind(self._domain).start(input, workflow_id=id, **options)
        return LocalRun(handle, self)

    async def _begin(self) -> None:
        """Let the worker begin, in a task that it also ends in."""
        async with self._beginning:
            if self._host is None:
                await self._domain.register()
                await self._learn()
                begun = self._loop.create_future()
                self._host = self._loop.create_task(self._serve(begun))
                try:
                    await asyncio.shield(begun)
                except Exception:
                    self._host = None  # it has ended
                    raise

    async def _serve(self, begun: "asyncio.Future[None]") -> None:
        try:
            async with self._worker:
                begun.set_result(None)
                await self._closing.wait()
        except BaseException as error:
            if begun.done():
                raise
            begun.set_exception(error)

    async def close(self) -> None:
        """End the worker, and cut off what it still does."""
        if self._host is None:
            return
        self._worker.stop()
        if self._worker.in_flight:
            self._worker.abort()
        self._closing.set()
        await self._host

    def check(self) -> None:
        """Raise what went wrong and nobody has heard of yet."""
        if self._trouble.done():
            raise self._trouble.result()

    def forget(self) -> None:
        """Forget it."""
        self._trouble = self._loop.create_future()

    # -- what cannot go on --

    def _hear(self, error: Exception) -> None:
        self._loop.call_soon_threadsafe(self._troubled, error)

    def _troubled(self, error: Exception) -> None:
        if not self._trouble.done():
            self._trouble.set_result(error)

    async def until(self, ending: Coroutine[Any, Any, T], run: WorkflowExecution) -> T:
        """Wait for something, unless a workflow cannot go on.

        Args:
            ending: What is waited for.
            run: Terminated when something cannot go on.

        Raises:
            Error: Why not.
        """
        waiting = self._loop.create_task(ending)
        host = [self._host] if self._host is not None else []
        try:
            await asyncio.wait(
                [waiting, self._trouble, *host], return_when=asyncio.FIRST_COMPLETED
            )
            if self._trouble.done():
                await self._give_up(run)
            if not waiting.done():
                await host[0]  # whose bug it is
            return waiting.result()
        finally:
            if not waiting.done():
                waiting.cancel()
                await asyncio.wait([waiting])

    async def _give_up(self, run: WorkflowExecution) -> None:
        error = self._trouble.result()
        self._trouble = self._loop.create_future()
        with contextlib.suppress(Error):  # it may be over, and faults may be planned
            await run.terminate(reason="the test kit gave it up: it cannot go on")
        raise error.with_traceback(None)

    # -- types that become known --

    def _watch(self, run: State) -> None:
        """Note what the code of a run calls."""
        run.out = _Noting(self._see)

    def _see(self, described: Described) -> None:
        """Note a type; in the thread of the code that names it."""
        kind = described.type
        key = (issubclass(kind, types.Activity), kind.name, kind.version)
        known = self._known.get(key) or self._new.setdefault(key, described)
        if known.type is not kind:
            what = "activity" if key[0] else "workflow"
            problem = f"is declared twice, in {known.type.__module__}"
            problem += f" and in {kind.__module__}"
            name = f"{what} {kind.name} {kind.version}"
            remedy = "change a name or a version"
            self._hear(InvalidArgument(name, problem, remedy))

    async def _learn(self) -> None:
        """Register and serve what is new."""
        async with self._learning:
            while self._new:
                for key, described in list(self._new.items()):
                    try:
                        await self._learn_of(described)
                    except InvalidArgument:
                        del self._new[key]  # whoever calls it goes on nowhere
                        raise
                    self._known[key] = described
                    del self._new[key]

    async def _learn_of(self, described: Described) -> None:
        domain, kind = self._domain, described.type
        with contextlib.suppress(TypeAlreadyExistsFault):  # an answer was lost
            await domain.call(request_for(kind, domain.name))
        if isinstance(described, flow.Activity):
            domain.activity_types.append(described)
        else:
            domain.workflow_types.append(described)
            linting.check([described.type], domain.lint)
        self._worker.serve(kind)
        self._worker.poll()

    # -- what goes through --

    async def through(
        self,
        request: requests.Request[S],
        onward: Callable[[requests.Request[S]], Awaitable[S]],
    ) -> S:
        """Send a request, when all is known that it speaks of."""
        if isinstance(request, requests.RespondDecisionTaskCompleted):
            await self._learn()
            self._poll(request.decisions or ())
        while True:
            result = await onward(request)
            if self._deps is not _NOTHING:
                provide(self._deps)  # to what this task of a poller begins
            if self._hands_out(result):
                return result

    def _poll(self, made: Iterable[decisions.Wrapped]) -> None:
        """Poll the task lists that decisions name: not always those of the types."""
        activities: set[str] = set()
        others: set[str] = set()
        for decision in (each.attributes for each in made):
            task_list = getattr(decision, "task_list", None)
            if task_list is not None:
                is_activity = isinstance(decision, decisions.ScheduleActivityTask)
                (activities if is_activity else others).add(task_list.name)
        self._worker.poll(activities, others)

    def _hands_out(self, result: Any) -> bool:
        """Let stand-ins take a task; say whether a worker is to hear of it."""
        if isinstance(result, results.ActivityTask):
            return self._hands_out_activity(result)
        if isinstance(result, results.DecisionTask):
            named = result.workflow_type
            described = self._known.get((False, named.name, named.version))
            if described is not None and self.cast.find(described.type):
                self._call_understudy(described)
        return True

    def _hands_out_activity(self, task: results.ActivityTask) -> bool:
        named = task.activity_type
        described = self._known.get((True, named.name, named.version))
        if described is None:
            return True
        if not self.cast.receive(task, described):
            return False
        if self.cast.find(described.type) is not None:
            self._call_understudy(described)
        return True

    def _call_understudy(self, described: Described) -> None:
        """Let a type be served by what asks its stand-in, from now on."""
        if described.type not in self._understudies:
            self._understudies.add(described.type)
            self._worker.serve(self.cast.understudy(described))


class LocalRun(WorkflowExecution, Generic[T]):
    """A run of a workflow in a test; all that a handle is, and more.

    What a worker would leave to be decided later, by other code, is raised at once:
    a workflow that cannot go on, or a stand-in that does not fit.
    """

    def __init__(self, handle: WorkflowExecution, stage: Stage) -> None:
        """Use :meth:`LocalSwf.start`."""
        ids = {"workflowId": handle.workflow_id, "runId": handle.run_id}
        super().__init__(ids, handle.caller)
        self._stage = stage

    @property
    def calls(self) -> list[Call]:
        """The calls of its activities so far, in the order in which they began."""
        calls = self._stage.cast.calls
        return [call for call in calls if call.workflow_id == self.workflow_id]

    async def result(self, *, most: float = 20.0) -> T:
        """Wait until it closes, and give its result; see ``WorkflowExecution.result``.

        Raises:
            Trouble: When it, or another run, cannot go on: says why.
            StandInUsedUp: When a stand-in has nothing left to do.
            InvalidArgument: When a stand-in does not fit.
            ExecutionError: When it ended otherwise, as for any handle.
        """
        result: T = await self._stage.until(super().result(most=most), self)
        return result

"""Running workflows on a local SWF with nothing more to write than their call.

Source:
    issue 4 section 4; dx.md section 2.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, TypeVar, overload

from flowser import flow
from flowser._flow.activities import Runs
from flowser._lean import Connection
from flowser.testing.casting import Cast
from flowser.testing.replaying import described
from flowser.testing.stage import LocalRun, Stage
from flowser.testing.standins import Call, StandIn, UnusedStandIn

P = ParamSpec("P")
R = TypeVar("R")
I = TypeVar("I")  # noqa: E741 - input
O = TypeVar("O")  # noqa: E741 - output


class Running:
    """What runs workflows; a :class:`LocalSwf` is one."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Run nothing yet.

        Args:
            options: Of the worker.
        """
        self._worker_options = dict(options)
        self._cast = Cast()
        self._stage: Stage | None = None

    @overload
    async def run(
        self, workflow: flow.Workflow[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R: ...
    @overload
    async def run(self, workflow: type[Runs[I, O]], input: I, /) -> O: ...
    async def run(self, workflow: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Run a coroutine workflow to its end, and give its result.

        There is nothing to be declared or registered: its activities and children are
        served as they are called, by their code or by what :meth:`replace` says.

        Args:
            workflow: A decorated function or a class with ``run``. What a start may
                say is said by ``order.with_(id="o-1", tag_list=["vip"])``.
            *args: Of the workflow.
            **kwargs: Likewise.

        Raises:
            ExecutionError: When it ended otherwise, as for any handle.
            Trouble: When it cannot go on, at once, with the report.
            InvalidArgument: When *workflow* is none, or a stand-in does not fit.
            StandInUsedUp: When a stand-in has nothing left to do.
        """
        started: LocalRun[Any] = await self.start(workflow, *args, **kwargs)
        return await started.result()

    @overload
    async def start(
        self, workflow: flow.Workflow[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> LocalRun[R]: ...
    @overload
    async def start(self, workflow: type[Runs[I, O]], input: I, /) -> LocalRun[O]: ...
    async def start(self, workflow: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Start a coroutine workflow, and give a handle; see :meth:`run`.

        Args:
            workflow: A decorated function or a class with ``run``.
            *args: Of the workflow.
            **kwargs: Likewise.

        Raises:
            InvalidArgument: When *workflow* is none.
            WorkflowExecutionAlreadyStartedFault: When its id is that of an open run.
        """
        found = described(workflow)
        if self._stage is None:
            raise RuntimeError("a LocalSwf runs workflows within its block")
        return await self._stage.start(found, found.input(*args, **kwargs))

    def replace(self, what: Any) -> StandIn:
        """Let something stand in for an activity, or for a child workflow.

        ::

            charging = swf.replace(charge).raises(CardDeclined("no funds"))

        It takes the calls of workflows that :meth:`run` and :meth:`start` begin, from
        now on; the latest one counts. See :class:`StandIn` for what it can do.

        Args:
            what: The activity or workflow, as it was decorated; a class of them; or a
                name, for all versions. Lambda functions are in *functions*.

        Raises:
            InvalidArgument: When it is none.
        """
        return self._cast.replace(what)

    @property
    def calls(self) -> list[Call]:
        """The calls of activities so far, and of children that a stand-in took."""
        return self._cast.calls

    @asynccontextmanager
    async def _running(self, conn: Connection) -> AsyncIterator[None]:
        """Be ready to run workflows, over a connection that nobody else uses."""
        self._stage = Stage(conn, self._cast, self._worker_options)
        try:
            yield
        finally:
            await self._stage.close()

    def _check_runs(self) -> None:
        """Raise what the test has not seen."""
        if self._stage is not None:
            self._stage.check()
        if self._cast.unused:
            named = ", ".join(repr(each.name) for each in self._cast.unused)
            words = f"these stand-ins were not called: {named}"
            raise UnusedStandIn(f"{words}; pass the decorated function, not its name")

    def _forgive_runs(self) -> None:
        self._cast.forget()
        if self._stage is not None:
            self._stage.forget()

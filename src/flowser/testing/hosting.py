"""A worker that learns of types while it works, and tells what cannot go on.

Rules: it does all that a worker does; what it has to see of a worker's inside, it sees
here and nowhere else.

Source:
    issue 4 section 4.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from flowser import types
from flowser._polling import PASSING
from flowser._worker.crew import Crew
from flowser._worker.handlers import Handlers
from flowser._worker.pollers import pollers_of
from flowser._worker.serving import Serving
from flowser.domain import Domain
from flowser.exceptions import ConfigurationError, Error, UnknownResourceFault
from flowser.replay.state import State
from flowser.worker import Worker

T = TypeVar("T", bound=types.Type)

#: What a decision may fail with and be made in the end: nothing is wrong with its run.
_PASSING = (*PASSING, ConfigurationError, UnknownResourceFault)

#: Hears of a decision that failed.
Hear = Callable[[Exception], None]

#: Is shown a run before its code runs.
Watch = Callable[[State], None]


class Hosting(Worker):
    """A worker for types that become known one by one."""

    def __init__(
        self, domain: Domain, options: Mapping[str, Any], *, hear: Hear, watch: Watch
    ) -> None:
        """Serve nothing yet.

        Args:
            domain: Where tasks are polled for.
            options: Of a worker.
            hear: Told of decisions that failed for good.
            watch: Shown each run before its code runs.
        """
        super().__init__(domain, **options)
        self._watch = watch
        self._crew = _Crew(self._settings.threads, self.stop, hear)
        self._runs = self._known_runs = _Handlers[types.Activity]("run", ())
        self._decides = self._known_decides = _Handlers[types.Workflow](
            "decide", (), or_else="run"
        )

    def serve(self, kind: type[types.Type]) -> None:
        """Serve one more type, by its own ``run``; one that was replaced, by another.

        Raises:
            InvalidArgument: When it has none, or what is annotated cannot be JSON.
        """
        if issubclass(kind, types.Activity):
            self._known_runs.replace(kind)
        elif issubclass(kind, types.Workflow):
            self._known_decides.replace(kind)

    def poll(
        self, activities: Iterable[str] = (), decisions: Iterable[str] = ()
    ) -> None:
        """Poll all task lists of what is served, and others.

        Args:
            activities: Others on which activities wait.
            decisions: Others on which decisions wait.
        """
        self._known_runs.others.update(activities)
        self._known_decides.others.update(decisions)
        if self._group is not None:
            self._widen()

    def _widen(self) -> None:
        """Poll the task lists that are new."""
        polled = {(known.name, known.receive) for known in self._lists}
        lists = self._host.lists()
        new = [each for each in lists if (each.name, each.receive) not in polled]
        self._lists += new
        for poller in pollers_of(new):
            self._crew.poll(poller.run())

    def _serving(self) -> Serving:
        self._host = super()._serving()
        replays: Any = self._host._replays  # noqa: SLF001 - see above
        begin = replays.begin

        def watched(*args: Any) -> Any:
            live = begin(*args)
            self._watch(live.run)
            return live

        replays.begin = watched
        return self._host


class _Handlers(Handlers[T]):
    """Handlers of types that may be replaced, and that may wait anywhere."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.others: set[str] = set()

    def replace(self, kind: type[T]) -> None:
        """Serve a type, whatever served it before."""
        self._found.pop((kind.name, kind.version), None)
        self.add(kind)

    def lists(self) -> dict[str, bool]:
        """Give the task lists, and those that were named besides."""
        return dict.fromkeys(self.others, False) | super().lists()


class _Crew(Crew):
    """A crew that tells of decisions that failed, and of its end."""

    def __init__(self, threads: int, stop: Callable[[], None], hear: Hear) -> None:
        super().__init__(threads, stop)
        self._hear = hear

    def failed(self, run_id: str, error: BaseException) -> int:
        """Count it, and tell of it, unless it will pass."""
        if isinstance(error, Exception) and not isinstance(error, _PASSING):
            self._hear(error)
        return super().failed(run_id, error)

    def exit(self) -> None:
        """Stop, and tell of it: nothing would happen any more."""
        what = "a handler, or workflow code, raised SystemExit or KeyboardInterrupt"
        self._hear(Error(f"the worker has stopped: {what}; its log says where"))
        super().exit()

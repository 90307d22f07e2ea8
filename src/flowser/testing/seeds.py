"""Decisions that are made again in processes with other hash seeds.

Sets of strings, and all that is made of their order, differ from process to process;
within one, they are always the same. So code that depends on them passes every test,
and fails when a worker is started again. Here it is found: a child process that hashes
by another seed replays the histories that the tests made.

Only workflows that can be imported there can be replayed there: those at the top level
of a module that is found on ``sys.path``. Others are left alone.

Source:
    issue 4 section 4; Python's documentation of PYTHONHASHSEED.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Any, Self

import msgspec

from flowser import serializing
from flowser._flow.hosting import Program
from flowser._settings import class_of
from flowser.calling import DomainLike
from flowser.events import Event
from flowser.exceptions import Error, InvalidArgument
from flowser.replay.run import Run
from flowser.testing.finding import imported
from flowser.testing.histories import plain
from flowser.testing.outcomes import Outcome, Title, difference

_MOST = 2**32 - 1

#: Seconds that a child may take to end.
_PATIENCE = 5.0


class Decided(msgspec.Struct, kw_only=True):
    """The decisions of a run, for another process.

    Attributes:
        kind: The class, or the function, as ``module:name``.
        domain: The class of the domain, if its serializer is not JSON.
        path: Where modules are found.
        file: That of the module of *kind*: another one of its name is another one.
        type: Name and version.
        workflow_id: Of the execution.
        run_id: Of the run.
        events: Its history, as on the wire.
        outcomes: What was decided, by the number of events.
    """

    kind: str
    domain: str | None
    path: list[str]
    file: str
    type: str
    workflow_id: str
    run_id: str
    events: list[Any]
    outcomes: dict[int, Outcome]

    @classmethod
    def of(
        cls, run: Run, events: Sequence[Event], outcomes: dict[int, Outcome]
    ) -> "Decided | None":
        """Describe what was decided; None when nobody else could decide it again.

        Args:
            run: A run of it.
            events: Its history.
            outcomes: What was decided, by the number of events.
        """
        program = run.program
        if not isinstance(program, Program):
            return None
        kind, named = program.kind, _name(program.kind)
        domain = _serializing(program.domain)
        file = getattr(sys.modules.get(kind.__module__), "__file__", None)
        if named is None or domain is None or file is None:
            return None
        return cls(
            kind=named,
            domain=domain or None,
            path=sys.path,
            file=file,
            type=f"{kind.name} {kind.version}",
            workflow_id=run.workflow_id,
            run_id=run.run_id,
            events=[plain(event) for event in events],
            outcomes=outcomes,
        )


def _serializing(domain: DomainLike) -> str | None:
    """Say which class has the serializer of a domain; nothing where it is JSON."""
    if domain.serializer is serializing.JSON:
        return ""
    kind: Any = type(domain)
    same = getattr(kind, "serializer", None) is domain.serializer
    return _name(kind) if same else None


def _name(kind: Any) -> str | None:
    """Say by what name a class is found; None when there is none."""
    name = f"{kind.__module__}:{kind.__qualname__}"
    if kind.__module__ == "__main__":
        return None
    try:
        return name if found_at(name) is kind else None
    except (AttributeError, ImportError):
        return None


def found_at(name: str) -> Any:
    """Import a class of workflows, or a domain; of a decorated function, its class.

    Args:
        name: ``module:name``.

    Raises:
        ImportError: When there is no such module.
        AttributeError: When it has no such name.
    """
    return class_of(imported(name))


class ChildFailed(Error):
    """A process that was to make decisions again has ended without an answer."""


class HashSeeds:
    """Child processes, each with a hash seed, that make decisions again.

    ::

        with HashSeeds(0, 1) as seeds, checked_replays(seeds):
            ...

    A process is begun when it is needed, and ends with the block.

    Attributes:
        seeds: Theirs.
        count: How many decisions were made again, each by all of them.
    """

    def __init__(self, *seeds: int) -> None:
        """Begin nothing yet.

        Args:
            seeds: From 0 to 4,294,967,295, as of PYTHONHASHSEED.

        Raises:
            InvalidArgument: When there are none, or one is not such a number.
        """
        for seed in seeds:
            if type(seed) is not int or not 0 <= seed <= _MOST:
                remedy = f"give numbers from 0 to {_MOST:,}"
                raise InvalidArgument("seeds", f"has {seed!r}", remedy)
        if not seeds:
            raise InvalidArgument("seeds", "is empty", "give 0 and 1, for example")
        self.seeds = seeds
        self.count = 0
        self._children: dict[int, _Child] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(str, self.seeds))})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the processes."""
        children, self._children = self._children, {}
        for child in children.values():
            child.end()

    def check(self, decided: Decided) -> list[str]:
        """Make the decisions of a run again, in each process.

        Returns:
            A report for each process, of the first that was another one there.

        Raises:
            ChildFailed: When a process ended; says with what words.
        """
        text = msgspec.json.encode(decided)
        if not self._children:
            self._children = {seed: _Child(seed) for seed in self.seeds}
        for child in self._children.values():
            child.ask(text)
        found = {seed: child.answer() for seed, child in self._children.items()}
        if None not in found.values():
            self.count += len(decided.outcomes)
        firsts = (
            _first(decided, seed, again) for seed, again in found.items() if again
        )
        return [report for report in firsts if report is not None]


def _first(decided: Decided, seed: int, again: dict[int, Outcome]) -> str | None:
    ids = decided.workflow_id, decided.run_id, decided.type
    for at, known in decided.outcomes.items():
        title = Title(*ids, at, f"a replay from hash seed {seed}")
        report = difference(title, known, again[at])
        if report is not None:
            return report
    return None


class _Child:
    """A process that makes decisions again; a line is a question, or an answer."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._told: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end
        path = os.pathsep.join(filter(None, sys.path))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "flowser.testing._seeded"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._told,
            env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": path},
        )

    def ask(self, text: bytes) -> None:
        """Ask for the decisions of a run."""
        asks = self._process.stdin
        assert asks is not None  # noqa: S101 - it was asked for
        with contextlib.suppress(BrokenPipeError):  # the answer will say why
            asks.write(text + b"\n")
            asks.flush()

    def answer(self) -> dict[int, Outcome] | None:
        """Give outcomes by the number of events; None when it knows no such workflow.

        Raises:
            ChildFailed: When the process ended; says with what words.
        """
        answers = self._process.stdout
        assert answers is not None  # noqa: S101 - it was asked for
        line = answers.readline()
        if not line:
            self._process.wait(_PATIENCE)
            self._told.seek(0)
            words = self._told.read().decode(errors="replace")
            raise ChildFailed(f"the process of hash seed {self._seed} ended:\n{words}")
        return msgspec.json.decode(line, type=dict[int, Outcome] | None)

    def end(self) -> None:
        """End it."""
        with self._told, self._process:
            assert self._process.stdin is not None  # noqa: S101 - it was asked for
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()

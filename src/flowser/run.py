"""Work until told to stop: ``python -m flowser.run worker.py``.

The argument is a Python file, or ``package.module``, with ``:name`` when it has more
than one domain. What is looked for there is:

- a subclass of :class:`flowser.Domain`, defined or imported there: its types that
  have a handler are served;
- optionally a worker, for handlers that are functions: ``worker``, a subclass of
  :class:`flowser.Worker` or a function ``worker(domain, **options)`` that makes one; or
  else the only subclass of :class:`flowser.Worker`, of any name, that is defined there.
  The options are those of :class:`flowser.Worker` that were given on the command line.

``:name`` may name the domain, or the worker or the function that makes it.

With ``--start order o-1`` it works until an execution has closed, and prints its
result.

Exit status: 0 when all ended in order; 1 when it was aborted, or tasks were cut off, or
``--check`` found differences, or what ``--start`` began came to no result; 2 when it
could not begin, with one line that says why, and a traceback when it was the loaded
code that failed.

Source:
    issue 2 section 4; reliability.md section 5 and section 4 experiment 37.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, get_args

from flowser import __version__, _loading, _logs, _starting
from flowser._client import connect
from flowser._flow.linting import Lint
from flowser._lean import Connection
from flowser._loading import Broken, Target
from flowser._local import connect_local
from flowser._loops import loop_factory
from flowser.domain import Domain
from flowser.exceptions import Error

log = logging.getLogger("flowser.run")

_IN_ORDER, _NOT_IN_ORDER, _CANNOT_BEGIN, _INTERRUPTED = 0, 1, 2, 130

#: Options that are passed to the worker as they are, when they are given.
_OF_WORKER: dict[str, tuple[Callable[[str], Any], str, str]] = {
    "activities": (int, "N", "how many activities at a time (100)"),
    "decisions": (int, "N", "how many decisions at a time (100)"),
    "activity_pollers": (int, "N", "polls held for each list of activities (1)"),
    "decision_pollers": (int, "N", "polls held for each list of decisions (1)"),
    "threads": (int, "N", "how many plain-def activities at a time (100)"),
    "cached_runs": (int, "N", "how many workflow runs stay in memory (1000)"),
    "watchdog": (float, "SECONDS", "that workflow code may run without waiting (10)"),
    "drain": (float, "SECONDS", "from the first signal until work is cut off (70)"),
    "identity": (str, "NAME", "who polls, for the history (host and process)"),
}

_ARGUMENTS = {
    "region_name": "--region",
    "profile_name": "--profile",
    "endpoint_url": "--endpoint",
}

#: Seconds for handlers that were abandoned, in threads say, before the process ends.
_LEFT_BEHIND = 1.0


def parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="python -m flowser.run",
        description="Serve the activities and workflows of a domain until stopped.",
        epilog="SIGTERM or Ctrl-C stops after the work in hand; a second one, at once.",
    )
    words = "worker.py or package.module; with :NAME, that domain or worker in it"
    made.add_argument("target", help=words)
    made.add_argument("--version", action="version", version=f"flowser {__version__}")
    _add_where(made)
    _add_how(made)
    said = made.add_argument_group("what is said")
    levels = ["debug", "info", "warning", "error", "critical"]
    said.add_argument("--log-level", choices=levels, default="info")
    said.add_argument("--log-format", choices=["text", "json"], default="text")
    return made


def _add_where(made: argparse.ArgumentParser) -> None:
    where = made.add_argument_group("where SWF is")
    where.add_argument("--region", metavar="NAME")
    where.add_argument("--profile", metavar="NAME", help="of the AWS configuration")
    where.add_argument("--endpoint", metavar="URL", help="instead of the region's SWF")
    where.add_argument(
        "--local", action="store_true", help="start an SWF on this machine"
    )
    words = "as --local, and keep all in this file"
    where.add_argument("--local-db", metavar="FILE", help=words)


def _add_how(made: argparse.ArgumentParser) -> None:
    how = made.add_argument_group("how to work")
    for name, (kind, metavar, words) in _OF_WORKER.items():
        option = f"--{name.replace('_', '-')}"
        how.add_argument(option, type=kind, metavar=metavar, help=words)
    how.add_argument(
        "--sticky",
        action=argparse.BooleanOptionalAction,
        help="keep workflow runs in memory between their decisions (yes)",
    )
    how.add_argument(
        "--lint",
        choices=get_args(Lint),
        help="what to do with workflow code that cannot be replayed (warn)",
    )
    how.add_argument(
        "--register",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="register the domain and its types first (yes)",
    )
    words = "start this type, with arguments (JSON, or text); print its result and stop"
    how.add_argument("--start", nargs="+", metavar=("NAME", "ARGUMENT"), help=words)
    words = "workflow id for --start (NAME); one that is open is not started again"
    how.add_argument("--id", metavar="ID", help=words)
    how.add_argument(
        "--check",
        action="store_true",
        help="only compare what is registered with the code; status 1 if it differs",
    )


def main(
    arguments: Sequence[str] | None = None, *, leave: Callable[[int], object] = int
) -> int:
    """Run a worker.

    Args:
        arguments: Of the command line; those of this process when None.
        leave: Called with the exit status when all is done but the end of handlers
            that may never end.

    Returns:
        The exit status.
    """
    options = parser().parse_args(arguments)
    options.local = options.local or options.local_db is not None
    if options.local and (options.endpoint or options.profile):
        return _refused("--local brings its own endpoint: leave out the other options")
    _logs.configure(options.log_level, options.log_format)
    try:
        target = _loading.load(options.target)
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            try:
                status = runner.run(serve(target, options))
            except KeyboardInterrupt:
                leave(_INTERRUPTED)  # what holds the end up was told to let go
                raise
            leave(status)
            return status
    except Broken as broken:
        return _refused(_in_options(str(broken)), broken.trace)
    except KeyboardInterrupt:
        return _INTERRUPTED


def _refused(problem: str, trace: str = "") -> int:
    sys.stderr.write(f"{trace}flowser.run: {' '.join(problem.split())}\n")
    return _CANNOT_BEGIN


def _in_options(problem: str) -> str:
    """Name arguments as they are called on the command line."""
    for argument, option in _ARGUMENTS.items():
        problem = problem.replace(argument, option)
    return problem


def _leave(status: int) -> None:
    """See to it that the process ends, whatever was left behind in it."""
    if status in (_NOT_IN_ORDER, _INTERRUPTED):
        timer = threading.Timer(_LEFT_BEHIND, os._exit, [status])
        timer.daemon = True
        timer.start()


async def serve(target: Target, options: argparse.Namespace) -> int:
    """Connect, register and work until stopped.

    Args:
        target: What was loaded.
        options: Of the command line.

    Returns:
        The exit status.

    Raises:
        Broken: When it cannot begin.
    """
    given = {name: getattr(options, name) for name in (*_OF_WORKER, "sticky")}
    chosen = {name: value for name, value in given.items() if value is not None}
    async with contextlib.AsyncExitStack() as stack:
        try:
            conn = await stack.enter_async_context(_connected(target, options))
            domain, worker = target.make(conn, chosen)
            domain.lint = options.lint or domain.lint
            worker.check()
            log.info("using SWF at %s", conn.endpoint_url)
            if options.check:
                return await _compared(domain)
            start = options.start and _starting.Start.read(
                domain, options.start, options.id
            )
            if options.register:
                await domain.register()
        except Error as error:
            raise Broken(str(error)) from error
        working = _starting.see_through(worker, start) if start else worker.run()
        return _IN_ORDER if await working else _NOT_IN_ORDER


async def _compared(domain: Domain) -> int:
    found = await domain.compare()
    if found.missing or found.differences:
        return _NOT_IN_ORDER
    log.info("all is registered as the code says: %s", ", ".join(found.existing))
    return _IN_ORDER


@contextlib.asynccontextmanager
async def _connected(
    target: Target, options: argparse.Namespace
) -> AsyncIterator[Connection]:
    pollers = (options.activity_pollers or 1) + (options.decision_pollers or 1)
    settings: dict[str, Any] = {
        "region_name": options.region,
        "endpoint_url": options.endpoint,
        "profile_name": options.profile,
    }
    given = {name: value for name, value in settings.items() if value is not None}
    given["max_pollers"] = max(1000, pollers * target.types)
    opened = (
        connect_local(db=options.local_db, **given)
        if options.local
        else connect(**given)
    )
    async with opened as conn:
        yield conn


if __name__ == "__main__":
    sys.exit(main(leave=_leave))

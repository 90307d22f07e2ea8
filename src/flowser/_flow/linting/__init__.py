"""A lint: what workflow code calls that cannot be replayed, before it runs.

It reads the source of a workflow, and of the functions that it calls as far as they are
the user's own; it runs nothing. What a :func:`flowser.flow.step` or an activity does is
not its business.

Source:
    issue 4 section 4; dx.md section 1.2 (no sandbox).
"""

import logging
from collections.abc import Iterable
from types import FunctionType, MethodType
from typing import Any, Literal, NamedTuple
from weakref import WeakKeyDictionary

from flowser import types
from flowser._flow.declaring import OfFunction
from flowser._flow.linting.calls import Called, Home, functions_of, variables_of
from flowser._flow.linting.names import is_a, looked_up
from flowser._flow.linting.rules import Reason
from flowser._flow.linting.walking import Walk
from flowser._flow.signals import HANDLES
from flowser._settings import class_of
from flowser.exceptions import Error, InvalidArgument

__all__ = ["Finding", "Lint", "LintFailed", "check", "lint"]

#: What is done with findings: a warning in the log, an exception, or nothing.
Lint = Literal["warn", "raise", "off"]

log = logging.getLogger("flowser.flow")


class Finding(NamedTuple):
    """Something in workflow code that cannot be replayed.

    Attributes:
        file: The file.
        line: The line in it.
        what: What is called there: ``time.time()``.
        function: The function that does so.
        why: Why it cannot be replayed.
        remedy: What to do instead.
    """

    file: str
    line: int
    what: str
    function: str
    why: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}"
        return f"{where}: {self.what} in {self.function} {self.why}: {self.remedy}"


class LintFailed(Error):
    """Workflow code does what cannot be replayed.

    Attributes:
        findings: All of it.
    """

    def __init__(self, findings: Iterable[Finding]) -> None:
        super().__init__(findings)
        self.findings = tuple(findings)

    def __str__(self) -> str:
        return "\n".join(
            [
                *map(str, self.findings),
                "or allow what is right by `# flowser: replayable` on its line",
            ]
        )


def lint(workflow: Any) -> list[Finding]:
    """Look for what a workflow calls that cannot be replayed: clocks, chance, I/O.

    ::

        assert not flow.lint(order)

    What a line does that bears ``# flowser: replayable`` is right, and so is what a
    function does with this beside its ``def``. Code without a source has no findings.

    Args:
        workflow: A decorated function, a class of workflows, or any function that
            workflows call.

    Returns:
        What it found, in the order of files and lines.

    Raises:
        InvalidArgument: When it is none of these.
    """
    kind = class_of(workflow)
    if is_a(kind, FunctionType, MethodType):
        return _found([*functions_of(kind)])
    if not (is_a(kind, type) and issubclass(kind, types.Workflow)):
        remedy = "pass a decorated function, or a subclass of flowser.types.Workflow"
        raise InvalidArgument("workflow", f"is {workflow!r}", remedy)
    if kind not in _KNOWN:
        _KNOWN[kind] = tuple(_found(_entries(kind)))
    return list(_KNOWN[kind])


def check(workflows: Iterable[type[types.Workflow]], mode: Lint) -> None:
    """Look at workflows before they are served, and log each finding once.

    Args:
        workflows: Those with ``run``; others are passed by.
        mode: What is done.

    Raises:
        LintFailed: When something was found, and *mode* is "raise".
        InvalidArgument: When *mode* is none.
    """
    if mode not in ("warn", "raise", "off"):
        remedy = 'choose "warn", "raise" or "off"'
        raise InvalidArgument("lint", f"is {mode!r}", remedy)
    if mode == "off":
        return
    found = sorted({finding for kind in workflows for finding in lint(kind)})
    if found and mode == "raise":
        raise LintFailed(found)
    for finding in found:
        if finding not in _TOLD:
            _TOLD.add(finding)
            log.warning("%s", finding)


#: What is known of classes: they are registered and served, again and again in tests.
_KNOWN: WeakKeyDictionary[type[types.Workflow], tuple[Finding, ...]]
_KNOWN = WeakKeyDictionary()

_TOLD: set[Finding] = set()


def _entries(kind: type[types.Workflow]) -> list[Called]:
    """List what a worker calls of a workflow: its code, and its signal handlers.

    An instance is made whenever a run is replayed.
    """
    if issubclass(kind, OfFunction):
        return [*functions_of(kind.parameters.function)]
    members = {name: looked_up(kind, name)[1] for name in dir(kind)}
    own = {"__init__", "run"} if "run" in members else set()
    return [
        called
        for name, each in members.items()
        if is_a(each, FunctionType) and (name in own or HANDLES in vars(each))
        for called in functions_of(each, kind)
    ]


def _found(entries: list[Called]) -> list[Finding]:
    found: set[Finding] = set()

    def tell(file: str, line: int, what: str, function: str, reason: Reason) -> None:
        found.add(Finding(file, line, what, function, *reason))

    if entries:
        wrapped = entries[-1].function  # whose wrappers may be from anywhere
        walk = Walk(Home(variables_of(wrapped)), tell)
        walk.follow(entries)
        walk.run()
    return sorted(found)

"""Finding the workflow of a history: among those that were named, or were imported.

Source:
    issue 4 section 4.
"""

import importlib
import sys
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

from flowser import flow, serializing, types
from flowser._settings import class_of
from flowser.domain import Domain
from flowser.exceptions import InvalidArgument
from flowser.testing.histories import Saved
from flowser.testing.replaying import described, started

_SETTING = "flowser_workflows"

_NAME = "name a module, or module:name of a domain or a workflow"


class Found(NamedTuple):
    """A workflow.

    Attributes:
        kind: Its class.
        serializer: Of the domain that lists it; JSON without.
        listed: Whether a domain does.
    """

    kind: type[types.Workflow]
    serializer: serializing.Serializer = serializing.JSON
    listed: bool = False

    @property
    def name(self) -> str:
        """Where it is declared."""
        return f"{self.kind.__module__}.{self.kind.__qualname__}"


class Workflows:
    """Workflows by name and version."""

    def __init__(self, where: Iterable[str] = ()) -> None:
        """Look for workflows.

        Args:
            where: Modules, or ``module:name`` of a domain or a workflow; without any,
                all modules that were imported are looked through.

        Raises:
            InvalidArgument: When one cannot be imported, or is neither.
        """
        self._named = tuple(where)
        self._found: dict[tuple[str, str], dict[Any, Found]] = {}
        for each in self._named:
            self._add(_within(_load(each)))
        if not self._named:
            for module in list(sys.modules.values()):
                if isinstance(module, ModuleType):
                    self._add(_within(module))

    def _add(self, found: Iterator[Found]) -> None:
        for each in found:
            key = each.kind.name, each.kind.version
            known = self._found.setdefault(key, {})
            if each.listed or each.kind not in known:
                known[each.kind] = each

    def find(self, saved: Saved) -> Found:
        """Find the workflow of a history.

        Raises:
            InvalidArgument: When there is none, or more than one, or it is no coroutine
                workflow.
        """
        type = started(saved).workflow_type
        found = list(self._found.get((type.name, type.version), {}).values())
        words = f"is the history of a run of {type.name} {type.version}"
        if not found:
            raise InvalidArgument(saved.name, f"{words}, not found", self._remedy())
        if len(found) > 1:
            names = " and ".join(sorted(each.name for each in found))
            remedy = f"say by {_SETTING} which module counts"
            raise InvalidArgument(saved.name, f"{words}, which are {names}", remedy)
        described(found[0].kind)
        return found[0]

    def _remedy(self) -> str:
        known = ", ".join(f"{name} {version}" for name, version in sorted(self._found))
        among = ", ".join(self._named) or "the modules that the tests import"
        known = known or "none"
        return f"name its module by {_SETTING}; known in {among}: {known}"


def imported(where: str) -> Any:
    """Import a module, or what ``module:name`` stands for.

    Raises:
        ImportError: When there is no such module.
        AttributeError: When it has no such name.
    """
    name, _, path = where.partition(":")
    found: Any = importlib.import_module(name)
    for part in path.split(".") if path else ():
        found = getattr(found, part)
    return found


def _load(where: str) -> Any:
    try:
        found = imported(where)
    except Exception as error:  # a module may raise anything
        problem = f"names {where}, which cannot be loaded: {error!r}"
        raise InvalidArgument(_SETTING, problem, _NAME) from error
    if not isinstance(found, ModuleType) and not list(_of(found)):
        problem = f"names {where}, which has no workflow"
        raise InvalidArgument(_SETTING, problem, _NAME)
    return found


def _within(found: Any) -> Iterator[Found]:
    things = list(vars(found).values()) if isinstance(found, ModuleType) else [found]
    for thing in things:
        yield from _of(thing)


def _of(thing: Any) -> Iterator[Found]:
    """Give the workflows of a thing; by its type, for a proxy is what it stands for."""
    if issubclass(type(thing), flow.Workflow):
        yield Found(thing.type)
    elif not issubclass(type(thing), type):
        return
    elif issubclass(thing, types.Workflow):
        if all(isinstance(getattr(thing, n, None), str) for n in ("name", "version")):
            yield Found(thing)
    elif issubclass(thing, Domain):
        for each in thing.workflow_types or ():
            yield Found(class_of(each), thing.serializer, listed=True)

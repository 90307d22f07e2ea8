"""Every name of the original's API reference has kept its name, place and meaning."""

import importlib
import inspect
import re
from typing import Any, NamedTuple

import pytest

from flowser.decision_tasks import Decision, StartInput
from flowser.exceptions import Error
from flowser.history import History
from tests.declared import Album, offline
from tests.histories import began, decision_task

#: seed/api-reference.txt, line by line, without its prose. What talks to SWF is
#: awaited now ("async"), or iterated over ("aiter").
REFERENCE = """
flowser.domain
    class Domain(conn)
        aiter activities(t)
        activity_types = None
        aiter decisions(t)
        async register(raise_exists=False)
        retention_period = '30'
        async start(t, input)
        workflow_types = None
flowser.types
    class Activity(domain)
        heartbeat_timeout = '3600'
        classmethod schedule(input, control=None)
        schedule_to_close_timeout = '3600'
        schedule_to_start_timeout = '3600'
        start_to_close_timeout = '3600'
        static get_id_from_input(input)
    class Type(domain)
        static get_id_from_input(input)
    class Workflow(domain)
        child_policy = 'TERMINATE'
        default_filter_tag = None
        default_tag_list = None
        execution_start_to_close_timeout = '600'
        classmethod start_child(input, control=None)
        task_start_to_close_timeout = '120'
        static get_id_from_input(input)
        async start(input)
flowser.tasks
    class Activity(result, caller)
        async cancel(details=None)
        async complete(result=None)
        async fail(details=None, reason=None)
        async heartbeat(details=None)
    class ActivityType(result)
    class Decision(result, caller)
        async complete(context=None)
        async fail(details=None, reason=None)
        method filter(event_type)
        method mark(name, details=None)
        async most_recent(event_type)
        method schedule(activity_type, *args, **kwargs)
        method start_child(workflow_type, *args, **kwargs)
        property start_input
    class WorkflowExecution(result, caller)
        async abandon(details=None, reason=None)
        async complete(result, context=None)
        async request_cancel()
        async signal(name, input=None)
        async terminate(details=None, reason=None)
        async terminate_request_cancel(details=None, reason=None)
    class WorkflowType(result)
flowser.exceptions
    exception EmptyTaskPollResult
    exception Error
    exception LastPage
"""

_LINE = re.compile(
    r"(?:(?P<kind>class|exception|async|aiter|method|static|classmethod|property) )?"
    r"(?P<name>\w+)(?:\((?P<parameters>.*)\))?(?: = (?P<default>.+))?"
)


class Entry(NamedTuple):
    """A line of the reference."""

    path: str
    kind: str | None
    parameters: str | None
    default: str | None


def entries() -> list[Entry]:
    """Read the reference."""
    module = owner = ""
    found = []
    for line in REFERENCE.strip().splitlines():
        depth = (len(line) - len(line.lstrip())) // 4
        if depth == 0:
            module = line
            continue
        told = _LINE.fullmatch(line.strip())
        assert told, line
        if depth == 1:
            owner = f"{module}:{told['name']}"
        path = owner if depth == 1 else f"{owner}.{told['name']}"
        found.append(Entry(path, told["kind"], told["parameters"], told["default"]))
    return found


ENTRIES = entries()


def resolve(path: str) -> Any:
    """Find what a path names, without binding it."""
    module, _, names = path.partition(":")
    found: Any = importlib.import_module(module)
    for name in names.split("."):
        found = inspect.getattr_static(found, name)
    return found


def plain(found: Any) -> Any:
    """Take a function out of its static or class method."""
    return getattr(found, "__func__", found)


def of_kind(*kinds: str) -> list[Entry]:
    return [entry for entry in ENTRIES if entry.kind in kinds]


def shown(entry: Entry) -> str:
    return entry.path


@pytest.mark.parametrize("entry", of_kind("class", "exception"), ids=shown)
def test_class_is_in_its_place(entry: Entry) -> None:
    found = resolve(entry.path)
    assert inspect.isclass(found)
    assert inspect.getdoc(found)
    if entry.kind == "exception":
        assert issubclass(found, Error)


@pytest.mark.parametrize(
    "entry", [entry for entry in ENTRIES if entry.default is not None], ids=shown
)
def test_attribute_has_its_default(entry: Entry) -> None:
    assert repr(resolve(entry.path)) == entry.default


@pytest.mark.parametrize(
    "entry", [entry for entry in ENTRIES if entry.parameters is not None], ids=shown
)
def test_parameters_have_their_names_order_and_defaults(entry: Entry) -> None:
    """What was added since must not be needed."""
    namespace: dict[str, Any] = {}
    exec(f"def original({entry.parameters}): pass", namespace)  # noqa: S102 - a table
    wanted = inspect.signature(namespace["original"]).parameters
    found = plain(resolve(entry.path))
    given = dict(inspect.signature(found).parameters)
    if entry.kind not in {"class", "static"}:
        del given[next(iter(given))]  # self, cls
    assert [*given][: len(wanted)] == [*wanted]
    for name, original in wanted.items():
        assert given[name].kind == original.kind
        if original.default is not original.empty:
            assert given[name].default == original.default
    variadic = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    for added in [*given.values()][len(wanted) :]:
        assert added.default is not added.empty or added.kind in variadic


@pytest.mark.parametrize(
    "entry",
    of_kind("async", "aiter", "method", "static", "classmethod", "property"),
    ids=shown,
)
def test_method_is_called_as_the_card_says(entry: Entry) -> None:
    found = resolve(entry.path)
    assert inspect.getdoc(plain(found))
    if entry.kind == "property":
        assert isinstance(found, property)
        return
    assert isinstance(found, staticmethod) == (entry.kind == "static")
    assert isinstance(found, classmethod) == (entry.kind == "classmethod")
    assert inspect.iscoroutinefunction(plain(found)) == (entry.kind == "async")


def test_table_above_has_every_name() -> None:
    kinds = {"class": 9, "exception": 3}
    for kind, number in kinds.items():
        assert len(of_kind(kind)) == number
    assert len(ENTRIES) == 52


@pytest.mark.parametrize("entry", of_kind("aiter"), ids=shown)
async def test_generator_is_an_async_iterator_to_be_closed(entry: Entry) -> None:
    method = getattr(offline(), entry.path.rpartition(".")[2])
    tasks = method(Album)
    assert inspect.isasyncgen(tasks)
    await tasks.aclose()


async def test_properties_of_a_decision_are_iterated_over_and_awaited() -> None:
    decision = Decision(decision_task([began(input="[1]")]), Album(offline()))
    assert isinstance(decision.events, History)
    assert [event.id async for event in decision.events] == [1]
    assert isinstance(decision.start_input, StartInput)
    assert await decision.start_input == [1]


async def test_event_has_what_the_original_had() -> None:
    decision = Decision(decision_task([began(input="[1]")]), Album(offline()))
    async for event in decision.events:
        assert event.id == 1
        assert event.type == "WorkflowExecutionStarted"
        assert event.time_stamp.year == 2017
        assert event.attrs["input"] == [1]
        assert event.attrs["childPolicy"] == "TERMINATE"

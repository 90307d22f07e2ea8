"""Decisions are made again in processes where sets of strings have other orders."""

import importlib
import json
import os
import re
import signal
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

import flowser
from flowser import events as e
from flowser import flow, types
from flowser._worker.observing import observer
from flowser.exceptions import InvalidArgument
from flowser.testing import (
    Checks,
    DifferentDecision,
    HashSeeds,
    LocalSwf,
    checked_replays,
)
from flowser.testing.outcomes import outcome
from flowser.testing.seeds import ChildFailed, Decided
from tests.flows import domain_of, started, thrice, workflow
from tests.replay.programs import PROGRAMS, Program, interpreted, work
from tests.replay.shop import charge
from tests.replay.story import STORIES, Story

EXAMPLES = Path(__file__).parents[2] / "examples"

#: Those that have coroutine workflows.
FLOWS = sorted(
    path.stem for path in EXAMPLES.glob("*.py") if "flow.workflow" in path.read_text()
)

unchecked = pytest.mark.unchecked("it is about other hash seeds")

WORDS = ["ash", "birch", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak"]


@workflow
async def unordered(words: list[str]) -> None:
    """Depend on the order of a set."""
    for word in set(words):
        flow.mark("word", word)


@workflow
async def ordered(words: list[str]) -> None:
    """Do not; and print."""
    print("words:", words)  # noqa: T201 - what is printed is no answer
    for word in sorted(set(words)):
        flow.mark("word", word)


class Shouting:
    """A serializer whose payloads JSON cannot read."""

    def dumps(self, value: Any, /) -> str:
        return f"!{json.dumps(value)}"

    def loads(self, text: str, /, type: Any = Any) -> Any:
        assert text.startswith("!"), text
        return json.loads(text[1:])


class Echo(types.Workflow):
    """Gives back its input."""

    name, version, task_list = "Echo", "1", "deciders"

    async def run(self, input: Any) -> Any:
        return input


class Loud(flowser.Domain):
    """A domain that has a serializer."""

    name = "loud"
    serializer = Shouting()
    workflow_types = [Echo]


def decided(story: Story) -> Decided:
    """Describe all decisions of a story."""
    history = story.history
    starts = [each.id for each in history if each.type == "DecisionTaskStarted"]
    outcomes = dict(zip(starts, map(outcome, story.answers), strict=True))
    found = Decided.of(story.run, history, outcomes)
    assert found is not None
    return found


def told(kind: Any, *args: Any) -> Story:
    """Decide a workflow that needs one decision."""
    story = Story(kind, *args)
    story.decide()
    return story


@pytest.fixture
def seven() -> Iterator[HashSeeds]:
    with HashSeeds(7) as seeds:
        yield seeds


@pytest.fixture(autouse=True)
def stories() -> Iterator[None]:
    yield
    while STORIES:
        STORIES.pop().run.end()


# -- what differs --


def test_code_that_depends_on_the_order_of_a_set_is_found(
    hash_seeds: HashSeeds,
) -> None:
    found = decided(told(unordered, WORDS))
    reports = hash_seeds.check(found)
    assert reports  # from both, unless this process has one of these seeds itself
    assert "decision at event 3: a replay from hash seed " in reports[0]
    assert re.search(r"- RecordMarker word \d +answered\n", reports[0])
    assert "test_seeds.py:" in reports[0]


def test_code_that_does_not_decides_the_same(hash_seeds: HashSeeds) -> None:
    before = hash_seeds.count
    assert hash_seeds.check(decided(told(ordered, WORDS))) == []
    assert hash_seeds.count == before + 1


@unchecked
async def test_a_test_fails_at_its_end(hash_seeds: HashSeeds) -> None:
    failing = pytest.raises(DifferentDecision, match="from hash seed")
    with failing, checked_replays(hash_seeds):
        async with LocalSwf() as swf:
            domain = domain_of([unordered])(swf.conn)
            await domain.register()
            async with flowser.Worker(domain):
                await (await started(domain, unordered, WORDS)).result()


# -- what can be decided elsewhere --


@unchecked
async def test_workflows_that_are_found_by_their_names_are_decided_elsewhere(
    hash_seeds: HashSeeds,
) -> None:
    @workflow
    async def local() -> None: ...

    before = hash_seeds.count
    with checked_replays(hash_seeds) as checks:
        async with LocalSwf() as swf:
            domain = domain_of([thrice, local])(swf.conn)
            await domain.register()
            async with flowser.Worker(domain):
                await (await started(domain, thrice, 1)).result()
                await (await started(domain, local, id="w-2")).result()
    assert checks.count == 5
    assert hash_seeds.count == before + 4


@workflow
async def older() -> None:
    """Have a name that another one has, too."""
    await flow.signals("go").receive()


@flow.workflow(version="1.0", task_list="deciders", name="older")
async def newer() -> None:
    """Do the same, and in new runs one thing more."""
    if flow.patched("greet"):
        flow.mark("hello")
    await flow.signals("go").receive()


@unchecked
async def test_each_decision_is_made_by_the_code_that_made_it(
    hash_seeds: HashSeeds,
) -> None:
    before = hash_seeds.count
    with checked_replays(hash_seeds):
        async with LocalSwf() as swf:
            domain = domain_of([older])(swf.conn)
            await domain.register()
            async with flowser.Worker(domain):
                run = await started(domain, older)
                await swf.settle()
            await run.signal("go")
            async with flowser.Worker(domain_of([newer])(swf.conn)):
                await run.result()
    assert hash_seeds.count == before + 2


@unchecked
async def test_payloads_are_read_by_the_serializer_of_the_domain(
    hash_seeds: HashSeeds,
) -> None:
    before = hash_seeds.count
    with checked_replays(hash_seeds):
        async with LocalSwf() as swf:
            loud = Loud(swf.conn)
            await loud.register()
            async with flowser.Worker(loud):
                run = await loud.start(Echo, ["a"], workflow_id="w-1")
                assert await run.result() == ["a"]
    assert hash_seeds.count == before + 1


@unchecked
async def test_nobody_else_can_read_what_an_instance_writes(
    hash_seeds: HashSeeds,
) -> None:
    class Own(Loud):
        def __init__(self, conn: Any) -> None:
            self.serializer = Shouting()
            super().__init__(conn)

    before = hash_seeds.count
    with checked_replays(hash_seeds) as checks:
        async with LocalSwf() as swf:
            own = Own(swf.conn)
            await own.register()
            async with flowser.Worker(own):
                await (await own.start(Echo, "a", workflow_id="w-1")).result()
    assert checks.count == 1
    assert hash_seeds.count == before


def test_module_that_cannot_be_imported_there_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seven: HashSeeds
) -> None:
    source = """
        import os
        from flowser import flow

        if os.environ.get("PYTHONHASHSEED") == "7":
            raise LookupError("not here")

        @flow.workflow(version="1", task_list="deciders")
        async def order() -> None: ...
    """
    (tmp_path / "only_elsewhere.py").write_text(textwrap.dedent(source))
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("only_elsewhere")
    [report] = seven.check(decided(told(module.order)))
    assert "it cannot be imported: LookupError: not here" in report


def test_module_that_is_not_found_there_or_is_another_one_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, seven: HashSeeds
) -> None:
    story = told(ordered, WORDS)
    found = decided(story)
    assert seven.check(msgspec.structs.replace(found, file="elsewhere.py")) == []
    assert seven.check(msgspec.structs.replace(found, kind="not_there:order")) == []
    assert seven.count == 0
    monkeypatch.setattr(ordered.type, "__module__", "__main__")
    assert Decided.of(story.run, story.history, {}) is None


def test_module_that_lacks_another_one_there_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seven: HashSeeds
) -> None:
    (tmp_path / "lacking.py").write_text("import not_there")
    monkeypatch.syspath_prepend(tmp_path)
    found = msgspec.structs.replace(
        decided(told(ordered, WORDS)),
        kind="lacking:order",
        path=[str(tmp_path), *sys.path],
    )
    [report] = seven.check(found)
    assert "ModuleNotFoundError: No module named 'not_there'" in report


# -- processes --


def test_process_that_ends_is_told_of_with_what_it_said(seven: HashSeeds) -> None:
    found = decided(told(ordered, WORDS))
    assert seven.check(found) == []
    [child] = seven._children.values()
    os.kill(child._process.pid, signal.SIGKILL)
    child._process.wait()
    with pytest.raises(ChildFailed, match="the process of hash seed 7 ended"):
        seven.check(found)


def test_processes_end_with_the_block() -> None:
    with HashSeeds(1) as seeds:
        assert not seeds._children  # none is needed yet
        seeds.check(decided(told(ordered, WORDS)))
        [child] = seeds._children.values()
        assert child._process.poll() is None
    assert child._process.returncode == 0


@pytest.mark.parametrize("seeds", [(), (-1,), (2**32,), ("0",), (True,)])
def test_what_is_no_hash_seed_is_refused(seeds: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidArgument, match="seeds"):
        HashSeeds(*seeds)


# -- programs --


def helped(program: Program) -> Story:
    """Run a program to its end, in a world that helps."""
    story = Story(interpreted, program, using=[work, charge])
    while True:
        story.settle()
        if isinstance(story.last, e.WorkflowExecutionCompleted):
            return story
        for task in story.tasks():
            story.complete(task.id, task.id)
        story.skip(1)


@settings(
    deadline=None,
    derandomize=True,
    max_examples=30,
    suppress_health_check=[*HealthCheck],
)
@given(program=PROGRAMS)
def test_random_programs_decide_the_same(
    hash_seeds: HashSeeds, program: Program
) -> None:
    assert hash_seeds.check(decided(helped(program))) == []
    while STORIES:
        STORIES.pop().run.end()


def test_every_test_of_this_suite_has_its_decisions_checked() -> None:
    assert isinstance(observer(), Checks)


def test_there_are_examples() -> None:
    assert {"saga", "fan_out", "continue_as_new"} <= {*FLOWS}


@pytest.mark.parametrize("name", FLOWS)
@unchecked
async def test_examples_decide_the_same(name: str, hash_seeds: HashSeeds) -> None:
    module = importlib.import_module(f"examples.{name}")
    before = hash_seeds.count
    with checked_replays(hash_seeds) as checks:
        await module.main()
    assert checks.count > 0
    assert hash_seeds.count == before + checks.count

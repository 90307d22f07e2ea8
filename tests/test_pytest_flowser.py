"""The fixture ``swf``, with every plugin that runs tests on an event loop, and none."""

import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import flowser.testing  # noqa: F401 - pytester forgets what its runs import

pytest_plugins = ["pytester"]

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"

#: Where this repository is worked on, it may be installed without its entry point.
INSTALLED = metadata.entry_points(group="pytest11", name="flowser")
LOADED = () if INSTALLED else ("-p", "pytest_flowser")

STRICT = "asyncio_mode = strict\nasyncio_default_fixture_loop_scope = function\n"
AUTO = STRICT.replace("strict", "auto")

DOMAIN = """
import asyncio
import pytest
import flowser

class Shop(flowser.Domain):
    name = "shop"

async def a_month(swf):
    shop, start = Shop(swf.conn), swf.now
    await shop.register()
    await asyncio.sleep(30 * 86_400)
    await shop.describe()
    assert (swf.now - start).days == 30
"""

TEST = """
async def test_month(swf):
    await a_month(swf)
"""


@pytest.fixture
def run(pytester: pytest.Pytester) -> Any:
    """Run tests, given as their sources."""

    def run(
        *sources: str, ini: str = AUTO, args: tuple[str, ...] = (), **outcomes: int
    ) -> str:
        pytester.makeini(f"[pytest]\naddopts = --strict-markers -W error\n{ini}")
        pytester.makepyfile(DOMAIN + "\n".join(sources))
        result = pytester.runpytest_inprocess(*LOADED, *args)
        result.assert_outcomes(**(outcomes or {"passed": 1}))
        return str(result.stdout)

    return run


def test_pytest_finds_it() -> None:
    project = tomllib.loads(PYPROJECT.read_text("utf-8"))
    points = project["project"]["entry-points"]["pytest11"]
    assert points == {"flowser": "pytest_flowser"}
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert "src/pytest_flowser.py" in wheel["only-include"]


# -- pytest-asyncio --


def test_auto_mode_needs_nothing(run: Any) -> None:
    run(TEST)


def test_strict_mode_needs_its_marker(run: Any) -> None:
    run("@pytest.mark.asyncio", TEST, ini=STRICT)


def test_strict_mode_without_the_marker_is_told(run: Any) -> None:
    told = run(TEST, ini=STRICT, errors=1)
    assert "mark the test by pytest.mark.asyncio" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("scope", ["class", "module", "package", "session"])
def test_loop_of_any_scope_is_the_test_s(run: Any, scope: str) -> None:
    marked = f"@pytest.mark.asyncio(loop_scope={scope!r})\nclass TestThem:"
    one, two = (TEST.replace("test_", f"test_{n}_") for n in "ab")
    methods = (one + two).replace("(swf)", "(self, swf)", 1).replace("\n", "\n    ")
    methods = re.sub(r"def (\w+)\((?:self, )?swf\)", r"def \1(self, swf)", methods)
    run(marked, methods, ini=STRICT, passed=2)


def test_loop_of_the_session_can_be_the_default(run: Any) -> None:
    scopes = "asyncio_default_test_loop_scope = session\n"
    run(TEST, TEST.replace("test_", "test_second_"), ini=AUTO + scopes, passed=2)


def test_fixtures_can_stand_on_it(run: Any) -> None:
    fixture = """
@pytest.fixture
async def shop(swf):
    shop = Shop(swf.conn)
    await shop.register()
    yield shop
    await shop.describe()

async def test_shop(shop, swf):
    await swf.skip(days=1)
    await shop.describe()
"""
    run(fixture)


def test_sync_test_can_have_such_fixtures(run: Any) -> None:
    fixture = """
@pytest.fixture
async def shop(swf):
    await Shop(swf.conn).register()

def test_shop(shop):
    pass
"""
    run(fixture)


# -- anyio --


def test_plugin_of_anyio_will_do(run: Any) -> None:
    backend = "@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    run(backend, "@pytest.mark.anyio", TEST, ini="", args=("-p", "no:asyncio"))


def test_plugin_of_anyio_will_do_beside_pytest_asyncio(run: Any) -> None:
    backend = "@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    run(backend, "@pytest.mark.anyio", TEST, ini=STRICT)


def test_trio_is_told_to_be_none_of_ours(run: Any) -> None:
    test = """
@pytest.fixture
def anyio_backend_name():
    return "trio"

@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_month(swf):
    pass
"""
    told = run(test, ini="", args=("-p", "no:asyncio"), errors=1)
    assert "flowser runs on asyncio: let the fixture anyio_backend" in told


def test_uvloop_is_told_what_to_do(run: Any) -> None:
    test = """
@pytest.fixture
def anyio_backend():
    return "asyncio", {"use_uvloop": True}

@pytest.mark.anyio
async def test_month(swf):
    pass
"""
    told = run(test, ini="", args=("-p", "no:asyncio"), errors=1)
    assert "a virtual clock cannot be put on uvloop.Loop: run tests on" in told


# -- neither --


def test_without_a_plugin_the_remedy_is_told(run: Any) -> None:
    told = run(TEST, ini="", args=("-p", "no:asyncio"), errors=1)
    assert "needs a test that runs on an event loop: install pytest-asyncio" in told


def test_without_pytest_asyncio_it_can_be_loaded(run: Any) -> None:
    run("def test_nothing():\n    pass", ini="", args=("-p", "no:asyncio"))


# -- options, and what is told at the end --


def test_marker_gives_options_and_the_closest_counts(run: Any) -> None:
    test = """
pytestmark = pytest.mark.swf(autojump=True, region_name="eu-west-1")

@pytest.mark.swf(autojump=False)
async def test_stands(swf):
    start = swf.now
    sleeping = asyncio.get_running_loop().create_task(asyncio.sleep(60))
    await swf.skip(seconds=59)
    assert not sleeping.done()
    await swf.skip(seconds=1)
    assert sleeping.done()
    assert swf.conn.region_name == "eu-west-1"
"""
    run(test)


def test_option_that_there_is_none_of_is_an_error(run: Any) -> None:
    told = run("@pytest.mark.swf(jump=True)", TEST, errors=1)
    assert "unexpected keyword argument 'jump'" in told


def test_fault_that_did_not_happen_is_told(run: Any) -> None:
    test = """
async def test_fault(swf):
    swf.faults.lose("ListDomains")
"""
    told = run(test, passed=1, errors=1)
    assert "these faults did not happen: <lose ListDomains" in told


def test_fault_that_did_not_happen_is_no_news_when_the_test_failed(run: Any) -> None:
    test = """
async def test_fault(swf):
    swf.faults.lose("ListDomains")
    assert False
"""
    run(test, failed=1)


WORKFLOW = """
from flowser import flow

@flow.activity(version="1.0", task_list="parcels")
async def ship(order_id: str) -> str:
    return f"{order_id} is on its way"

@flow.workflow(version="1.0", task_list="orders")
async def selling(order_id: str) -> str:
    await asyncio.sleep(60)
    return await ship(order_id)
"""


def test_workflow_is_run_in_three_lines(run: Any) -> None:
    test = """
async def test_order_is_shipped(swf):
    shipping = swf.replace(ship).returns("shipped")
    assert await swf.run(selling, "o-1") == "shipped"
    assert shipping.calls[0].args == ("o-1",)
"""
    run(WORKFLOW, test)


def test_stand_in_for_nothing_is_told_unless_the_test_failed(run: Any) -> None:
    test = """
async def test_order_is_shipped(swf):
    swf.replace("shup").returns("shipped")
    assert await swf.run(selling, "o-1") == "shipped"
"""
    told = run(WORKFLOW, test, failed=1)
    assert "these stand-ins were not called" not in told
    passing = test.replace('== "shipped"', '== "o-1 is on its way"')
    told = run(WORKFLOW, passing, passed=1, errors=1)
    assert "these stand-ins were not called: 'shup'" in told


def test_deadlock_fails_its_test_and_no_other(run: Any) -> None:
    test = """
async def test_deadlock(swf):
    await asyncio.Event().wait()
"""
    told = run(test, TEST, failed=1, passed=1)
    assert "nothing will ever happen: no timer runs" in told
    assert "in test_deadlock" in told


# -- decisions are made again --

FLOW = """
from flowser import flow

WORDS = ["ash", "birch", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak"]
calls = []

@flow.workflow(version="1", task_list="deciders")
async def unordered():
    for word in set(WORDS):
        flow.mark("word", word)

@flow.workflow(version="1", task_list="deciders")
async def counting():
    calls.append(1)
    flow.mark("calls", len(calls))

class Woods(flowser.Domain):
    name = "woods"
    workflow_types = [unordered, counting]

async def served(swf, kind):
    woods = Woods(swf.conn)
    await woods.register()
    async with flowser.Worker(woods):
        await (await woods.start(kind, kind.input(), workflow_id="w-1")).result()
"""

UNORDERED = """
async def test_words(swf):
    await served(swf, unordered)
"""

inside = pytest.mark.unchecked("the tests within make their decisions again")


@inside
def test_decision_that_is_another_one_fails_its_test(run: Any) -> None:
    test = """
async def test_calls(swf):
    await served(swf, counting)
"""
    told = run(FLOW, test, passed=1, errors=1)
    assert "DifferentDecision: w-1 (run " in told
    run(FLOW, "@pytest.mark.swf(check_replays=False)", test)


@inside
def test_decisions_are_made_again_from_the_hash_seeds_of_the_configuration(
    run: Any,
) -> None:
    run(FLOW, UNORDERED)
    told = run(
        FLOW, UNORDERED, ini=f"{AUTO}flowser_hash_seeds = 0 1\n", passed=1, errors=1
    )
    assert "a replay from hash seed" in told


def test_run_without_it_does_not_import_flowser(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\n")
    pytester.makepyfile("""
import sys

def test_nothing():
    assert not {"flowser", "aiobotocore", "aiohttp"} & sys.modules.keys()
    assert "pytest_flowser" in sys.modules
""")
    result = pytester.runpytest_subprocess("-p", "no:asyncio", *LOADED)
    result.assert_outcomes(passed=1)


def test_it_is_listed_with_the_fixtures(pytester: pytest.Pytester) -> None:
    pytester.makeini(f"[pytest]\n{AUTO}")
    result = pytester.runpytest_inprocess("--fixtures", *LOADED)
    result.stdout.fnmatch_lines(["swf -- *pytest_flowser.py:*", "*a local SWF*"])
    assert "_swf_of" not in str(result.stdout)

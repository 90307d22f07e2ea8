"""Saved histories as tests: ``pytest --flowser-histories``, as its users call it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from flowser.testing import LocalSwf, save_history
from tests.histories import began
from tests.test_pytest_flowser import LOADED

pytest_plugins = ["pytester"]

QUICKLY = ("-p", "no:asyncio", "-p", "no:cacheprovider")

#: The workflow of these tests, as its users write it.
SHOP = """
import asyncio
from flowser import flow

@flow.activity(version="1.0", task_list="parcels")
async def ship(order_id: str) -> str:
    return f"{order_id} is on its way"

@flow.workflow(version="1.0", task_list="orders")
async def selling(order_id: str) -> str:
    await asyncio.sleep(60)
    return await ship(order_id)
"""

#: The same, when somebody has changed it.
CHANGED = SHOP.replace("await asyncio.sleep(60)\n", "")

DOMAIN = """
import flowser
from shop import selling

class Shop(flowser.Domain):
    name = "shop"
    workflow_types = [selling]
"""

UNHEARD = began(workflowType={"name": "Unheard", "version": "1.0"})

TEST = "import shop\n\ndef test_nothing():\n    pass\n"


async def recorded(file: Path) -> None:
    """Record a run of the workflow."""
    names: dict[str, Any] = {"__name__": "shop"}
    exec(SHOP, names)  # noqa: S102 - our own
    async with LocalSwf(check_replays=False) as swf:
        run = await swf.start(names["selling"], "o-1")
        await run.result()
        await save_history(run, file)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The history of a run of the workflow."""
    file = tmp_path_factory.mktemp("histories") / "order.json"
    asyncio.run(recorded(file))
    return file.read_bytes()


@pytest.fixture
def shop(pytester: pytest.Pytester, history: bytes) -> pytest.Pytester:
    """A project with a workflow, a test and a history."""
    pytester.makeini("[pytest]\npythonpath = .\naddopts = --strict-markers -W error\n")
    pytester.makepyfile(shop=SHOP, domain=DOMAIN, test_shop=TEST)
    folder = pytester.mkdir("histories")
    (folder / "order-7.json").write_bytes(history)
    return pytester


def run(pytester: pytest.Pytester, *args: str, **outcomes: int) -> str:
    """Run pytest."""
    result = pytester.runpytest_inprocess(*QUICKLY, *LOADED, *args)
    if outcomes:
        result.assert_outcomes(**outcomes)
    return f"{result.stdout}\n{result.stderr}"


# -- what is collected --


def test_each_history_is_a_test_of_its_own_name(
    shop: pytest.Pytester, history: bytes
) -> None:
    deeper = shop.mkdir("histories/2025")
    (deeper / "order-8.json").write_bytes(history)
    (deeper / "README.md").write_text("what they are")
    told = run(shop, "-v", "--flowser-histories=histories", passed=3)
    assert "histories/order-7.json::replay PASSED" in told
    assert "histories/2025/order-8.json::replay PASSED" in told
    assert "test_shop.py::test_nothing PASSED" in told


def test_without_the_option_histories_are_just_files(shop: pytest.Pytester) -> None:
    run(shop, passed=1)


def test_option_may_stand_in_the_configuration(
    shop: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    ini = "[pytest]\npythonpath = .\naddopts = --flowser-histories=histories\n"
    shop.makeini(ini)
    run(shop, passed=2)
    run(shop, "-k", "order-7", passed=1, deselected=1)
    run(shop, "histories/order-7.json::replay", "--flowser-workflows=shop", passed=1)
    monkeypatch.chdir(shop.mkdir("below"))
    run(shop, "../test_shop.py", passed=2)


def test_tests_that_are_named_are_run_beside_them(shop: pytest.Pytester) -> None:
    shop.makepyfile(test_other="def test_other():\n    assert False\n")
    run(shop, "test_shop.py", "--flowser-histories=histories", passed=2)


def test_one_file_and_several_folders_can_be_named(
    shop: pytest.Pytester, history: bytes
) -> None:
    hidden = shop.mkdir(".recorded")
    (hidden / "order-8.json").write_bytes(history)
    options = ("--flowser-histories=histories/order-7.json",)
    run(shop, *options, "--flowser-histories=.recorded", passed=3)


def test_folder_of_tests_may_have_histories_too(shop: pytest.Pytester) -> None:
    told = run(shop, "-v", "--flowser-histories=.", passed=2)
    assert told.count("::replay PASSED") == 1


# -- where workflows are --


def test_workflow_is_found_among_what_tests_import(shop: pytest.Pytester) -> None:
    """In a process of its own: here, others have imported workflows, too."""
    options = (*QUICKLY, *LOADED, "--flowser-histories=histories")
    shop.runpytest_subprocess(*options).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("how", "where"),
    [
        ("ini", "shop"),
        ("ini", "shop:selling"),
        ("ini", "domain:Shop"),
        ("option", "domain"),
    ],
)
def test_workflow_is_found_where_it_is_said_to_be(
    shop: pytest.Pytester, how: str, where: str
) -> None:
    shop.makepyfile(test_shop="def test_nothing():\n    pass\n")
    named = f"flowser_workflows = {where}\n" if how == "ini" else ""
    shop.makeini(f"[pytest]\npythonpath = .\n{named}")
    options = [f"--flowser-workflows={where}"] if how == "option" else []
    run(shop, "--flowser-histories=histories", *options, passed=2)


def test_workflow_that_is_nowhere_fails_with_the_remedy(shop: pytest.Pytester) -> None:
    shop.makepyfile(test_shop="def test_nothing():\n    pass\n")
    told = run(shop, "--flowser-histories=histories", passed=1, failed=1)
    assert "order-7.json is the history of a run of selling 1.0, not found" in told
    assert "name its module by flowser_workflows; known in the modules that" in told
    options = "--flowser-histories=histories", "--flowser-workflows=domain:Shop"
    shop.makepyfile(shop=SHOP.replace("1.0", "2.0"))
    told = run(shop, *options, passed=1, failed=1)
    assert "known in domain:Shop: selling 2.0" in told


def test_workflow_that_is_declared_twice_is_told(shop: pytest.Pytester) -> None:
    shop.makepyfile(test_shop=TEST, test_other=SHOP + "\ndef test_nothing(): pass\n")
    told = run(shop, "--flowser-histories=histories", passed=2, failed=1)
    assert (
        "which are shop.selling and test_other.selling: say by flowser_workflows"
        in told
    )
    options = "--flowser-histories=histories", "--flowser-workflows=shop"
    run(shop, *options, passed=3)


def test_manual_decider_is_told(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        test_shop="""
from flowser import types

class Order(types.Workflow):
    name, version, task_list = "selling", "1.0", "orders"

    async def decide(self, decision): ...

def test_nothing():
    pass
"""
    )
    told = run(shop, "--flowser-histories=histories", passed=1, failed=1)
    assert "Order is decided by decide(): only workflows with async def run" in told


@pytest.mark.parametrize(
    ("where", "problem"),
    [
        ("nowhere", "names nowhere, which cannot be loaded: ModuleNotFoundError"),
        ("shop:nothing", "names shop:nothing, which cannot be loaded: AttributeError"),
        ("shop:ship", "names shop:ship, which has no workflow"),
        ("broken", "names broken, which cannot be loaded: ZeroDivisionError"),
    ],
)
def test_wrong_place_is_told(shop: pytest.Pytester, where: str, problem: str) -> None:
    shop.makepyfile(broken="1 / 0\n")
    options = "--flowser-histories=histories", f"--flowser-workflows={where}"
    told = run(shop, *options, passed=1, failed=1)
    assert f"flowser_workflows {problem}" in told
    assert "name a module, or module:name of a domain or a workflow" in told


# -- what is told --


def test_code_that_was_changed_fails_with_the_report(shop: pytest.Pytester) -> None:
    shop.makepyfile(shop=CHANGED)
    told = run(shop, "--flowser-histories=histories", passed=1, failed=1)
    assert "replay of order-7.json" in told
    assert "- 1  timer of 60 s  history, event 5" in told
    assert "+ 1  activity ship  code, " in told
    assert "shop.py:10 in selling" in told
    assert "Traceback" not in told
    assert "site-packages" not in told


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("no JSON", "bad.json is no JSON"),
        ("{}", "bad.json has no events"),
        ('{"events": []}', "bad.json has no events"),
        (json.dumps({"events": [UNHEARD]}), "a run of Unheard 1.0, not found"),
        (json.dumps({"events": [began()], "nextToken": "x"}), "ends with a nextToken"),
    ],
)
def test_bad_file_is_a_test_that_fails(
    shop: pytest.Pytester, content: str, problem: str
) -> None:
    (shop.path / "histories" / "bad.json").write_text(content)
    told = run(shop, "--flowser-histories=histories", passed=2, failed=1)
    assert problem in told
    assert "Traceback" not in told


def test_folder_that_pytest_never_looks_into_is_told(
    shop: pytest.Pytester, history: bytes
) -> None:
    folder = shop.path / "build" / "histories"
    folder.mkdir(parents=True)
    (folder / "order-8.json").write_bytes(history)
    told = run(shop, "--flowser-histories=build/histories")
    assert "a folder above it is among pytest's norecursedirs" in told
    run(shop, "--flowser-histories=build", passed=2)


@pytest.mark.parametrize(
    ("folder", "problem"),
    [
        ("missing", "--flowser-histories: there is no missing in "),
        ("empty", "--flowser-histories: there is no *.json in "),
        ("", "--flowser-histories: name a folder"),
    ],
)
def test_folder_without_histories_stops_the_run(
    shop: pytest.Pytester, folder: str, problem: str
) -> None:
    shop.mkdir("empty")
    result = shop.runpytest_inprocess(
        *QUICKLY, *LOADED, f"--flowser-histories={folder}"
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert problem in f"{result.stdout}\n{result.stderr}"


def test_options_are_explained(shop: pytest.Pytester) -> None:
    told = run(shop, "--help")
    assert "--flowser-histories=DIR" in told
    assert "--flowser-workflows=MODULE[:NAME]" in told
    assert "flowser_workflows (args):" in told

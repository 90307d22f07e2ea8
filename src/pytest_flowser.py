"""The fixture ``swf`` of pytest: a local SWF for a test, on a time that jumps.

::

    async def test_order_expires_after_a_day(swf):
        assert await swf.run(order, "o-1", amount=Decimal(3)) == "expired"

It works with pytest-asyncio, in both modes and with loops of any scope, and with the
plugin of anyio. The marker takes the options of ``flowser.testing.LocalSwf``::

    @pytest.mark.swf(autojump=False)

Every decision of a coroutine workflow is made again, by a replay from nothing, and must
be the same. With ``flowser_hash_seeds = 0 1`` in pytest's configuration, it is also
made in two processes in which sets of strings have other orders; that takes a second or
two, once.

With ``pytest --flowser-histories=tests/histories``, each history in the folder is an
item, replayed against today's code. The workflow of a history is found by the name and
version of its type among those that the tests import, or in what is named::

    [tool.pytest.ini_options]
    addopts = ["--flowser-histories=tests/histories"]
    flowser_workflows = ["shop.workflows", "shop.domain:Shop"]

``flowser.testing.save_history`` makes such files, and so does the AWS CLI; see
``flowser.testing.histories``.

Rules: pytest imports this module whenever flowser is installed, also for tests that
have nothing to do with it. So it stands outside of the package, whose import takes a
second, and imports that only for the tests that ask for it.
"""

import importlib.util
import inspect
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

_SCOPES = ("function", "class", "module", "package", "session")

_NO_LOOP = (
    "the fixture swf needs a test that runs on an event loop: install pytest-asyncio "
    'and set asyncio_mode = "auto", or mark the test by pytest.mark.asyncio or '
    "pytest.mark.anyio; unittest and others have flowser.testing.LocalSwf"
)
_NOT_ASYNCIO = (
    "flowser runs on asyncio: let the fixture anyio_backend give 'asyncio' for the "
    "tests that ask for swf"
)

#: Where the hash seeds are configured.
_SEEDS = "flowser_hash_seeds"

#: Where the modules of workflows are configured, and what is said of it.
_WORKFLOWS = "flowser_workflows"
_WHERE = (
    "Where the workflows of saved histories are: modules, or a domain or a workflow in "
    "one; all that the tests import, if not given."
)

_failed = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare what can be configured."""
    about = "hash seeds of processes that make the decisions of workflows again"
    parser.addini(_SEEDS, about, type="args", default=[])
    parser.addini(_WORKFLOWS, _WHERE, type="args", default=[])
    group = parser.getgroup("flowser", "workflows on Amazon SWF")
    group.addoption(
        "--flowser-histories",
        action="append",
        default=[],
        metavar="DIR",
        help="Replay each saved history (*.json) in a folder against today's code.",
    )
    group.addoption(
        "--flowser-workflows",
        action="append",
        default=[],
        metavar="MODULE[:NAME]",
        help=_WHERE,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker; collect histories, if that is wanted."""
    about = "swf(**options): options of flowser.testing.LocalSwf for the fixture swf"
    config.addinivalue_line("markers", about)
    histories = config.getoption("flowser_histories")
    if histories:
        from flowser.testing import _pytest  # noqa: PLC0415 - takes a second

        plugin = _pytest.Histories(config, histories)
        config.pluginmanager.register(plugin, "flowser-histories")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note that a test failed, for what comes after it."""
    report = yield
    if report.failed:
        item.stash[_failed] = True
    return report


@pytest.fixture
def swf(request: pytest.FixtureRequest) -> Any:
    """Give the test a local SWF; see ``flowser.testing.LocalSwf``."""
    if "anyio_backend" in request.fixturenames:
        name = "_swf_of_anyio"
    elif _is_asyncio(request):
        name = f"_swf_of_{_loop_scope(request)}_loop"
    else:
        pytest.fail(_NO_LOOP, pytrace=False)
    return request.getfixturevalue(name)


def _is_asyncio(request: pytest.FixtureRequest) -> bool:
    """Tell whether pytest-asyncio runs the test, or at least its fixtures."""
    if not request.config.pluginmanager.has_plugin("asyncio"):
        return False
    marked = request.node.get_closest_marker("asyncio") is not None
    return marked or not inspect.iscoroutinefunction(request.function)


def _loop_scope(request: pytest.FixtureRequest) -> str:
    """Find the loop that the test runs on, as pytest-asyncio does."""
    marker = request.node.get_closest_marker("asyncio")
    given = marker.kwargs.get("loop_scope") if marker is not None else None
    default = request.config.getini("asyncio_default_test_loop_scope")
    return str(given or default or "function")


async def _local_swf(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    from flowser.testing import LocalSwf  # noqa: PLC0415 - takes a second

    options: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("swf"))):
        options |= marker.kwargs  # the closest one counts
    with _hash_seeds_of(request):
        async with LocalSwf(**options) as local:
            yield local
            if request.node.stash.get(_failed, False):
                local.forgive()  # that something did not happen is no news


def _hash_seeds_of(request: pytest.FixtureRequest) -> AbstractContextManager[Any]:
    """Have decisions made again from the hash seeds of the configuration."""
    if not request.config.getini(_SEEDS):
        return nullcontext()
    from flowser.testing import checked_replays  # noqa: PLC0415 - takes a second

    return checked_replays(request.getfixturevalue("_hash_seeds"))


@pytest.fixture(scope="session")
def _hash_seeds(pytestconfig: pytest.Config) -> Iterator[Any]:
    from flowser.testing import HashSeeds  # noqa: PLC0415 - takes a second

    with HashSeeds(*map(int, pytestconfig.getini(_SEEDS))) as seeds:
        yield seeds


@pytest.fixture
async def _swf_of_anyio(
    anyio_backend_name: str, request: pytest.FixtureRequest
) -> AsyncIterator[Any]:
    if anyio_backend_name != "asyncio":
        pytest.fail(_NOT_ASYNCIO, pytrace=False)
    async for local in _local_swf(request):
        yield local


def _on_loop_of(scope: Any) -> Any:
    import pytest_asyncio  # noqa: PLC0415 - if it is there

    name = f"_swf_of_{scope}_loop"

    @pytest_asyncio.fixture(loop_scope=scope, name=name)
    async def local_swf(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
        async for local in _local_swf(request):
            yield local

    return local_swf


if importlib.util.find_spec("pytest_asyncio") is not None:
    for _scope in _SCOPES:
        globals()[f"_swf_of_{_scope}_loop"] = _on_loop_of(_scope)

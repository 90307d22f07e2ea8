"""Who imports whom, kept by a bare pytest run too.

The rules are read from pyproject.toml, where import-linter reads them. import-linter
follows chains of imports; this test needs nothing installed, and also knows what is
third-party, what is asynchronous, and rooms that are not built yet.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

import pytest

import flowser

PACKAGE = Path(flowser.__file__).parent
PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
CONTRACTS: dict[str, dict[str, Any]] = {
    contract["id"]: contract
    for contract in tomllib.loads(PYPROJECT.read_text("utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
}
LAYERS: list[str] = CONTRACTS["layers"]["layers"]
#: Room to layer, the top one being 0. The package itself, "", re-exports what stands
#: below `run`.
RANKS: dict[str, float] = {"": LAYERS.index("run") + 0.5} | {
    name: rank
    for rank, layer in enumerate(LAYERS)
    for name in re.findall(r"\w+", layer)
}
MODEL_MAY_IMPORT = sys.stdlib_module_names | {"flowser", "msgspec"}


def violations(module: str, source: str, *, package: bool = False) -> Iterator[str]:
    """Say what a module does that the rules forbid."""
    tree = ast.parse(source)
    for name in imported(tree, module if package else module.rpartition(".")[0]):
        for why in {*against_layers(module, name), *against_contracts(module, name)}:
            yield f"{module} imports {name}: {why}"
    if covers(CONTRACTS["pure"]["source_modules"], module):
        asynchronous = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)
        if any(isinstance(node, asynchronous) for node in ast.walk(tree)):
            yield f"{module} is asynchronous: {CONTRACTS['pure']['name']}"


def imported(tree: ast.Module, package: str) -> Iterator[str]:
    """List what a module imports, at any depth, by full dotted names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def against_layers(module: str, name: str) -> Iterator[str]:
    """Judge an import by the order of the rooms."""
    here, there = room_of(module), room_of(name)
    if name.partition(".")[0] != "flowser" or here == there:
        return
    there = there if there in RANKS else ""  # a name that the package re-exports
    up = RANKS[there] - RANKS[here]
    if up < 0 or (up == 0 and "|" in LAYERS[int(RANKS[here])]):
        yield CONTRACTS["layers"]["name"]


def against_contracts(module: str, name: str) -> Iterator[str]:
    """Judge an import by the contracts that name what is forbidden."""
    for contract in CONTRACTS.values():
        excuses = (line.split(" -> ") for line in contract.get("ignore_imports", ()))
        if (
            covers(contract.get("source_modules", ()), module)
            and covers(contract.get("forbidden_modules", ()), name)
            and not any(covers([a], module) and covers([b], name) for a, b in excuses)
        ):
            yield contract["name"]
    model = CONTRACTS["model"]
    stem = name.partition(".")[0]
    if covers(model["source_modules"], module) and stem not in MODEL_MAY_IMPORT:
        yield model["name"]


def covers(rooms: list[str] | tuple[str, ...], name: str) -> bool:
    """Tell whether a name is one of the rooms or lies in one."""
    stems = (room.removesuffix(".**") for room in rooms)
    return any(f"{name}.".startswith(f"{stem}.") for stem in stems)


def room_of(name: str) -> str:
    """Give the part of a dotted name that stands for a room; "" is the package."""
    return ".".join(name.split(".")[1:2])


def module_of(path: Path) -> str:
    """Give the dotted name of a file of the package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@pytest.mark.parametrize(("module", "path"), MODULES.items(), ids=MODULES)
def test_a_module_obeys_the_rules(module: str, path: Path) -> None:
    assert room_of(module) in RANKS, "name it in pyproject.toml's layers"
    source = path.read_text("utf-8")
    assert not [*violations(module, source, package=path.name == "__init__.py")]


def test_every_room_is_known_as_client_or_model() -> None:
    """A room that is missing in a contract's list would be free of it.

    Both commands, of the client and of the local SWF, ask _loops for their event loop.
    """
    client, model = CONTRACTS["local"], CONTRACTS["model"]
    named = {*client["forbidden_modules"], *model["source_modules"]}
    unnamed = RANKS.keys() - {room_of(name) for name in named}
    assert unnamed == {"", "_loops", "local", "replay", "testing"}


@pytest.mark.parametrize(
    ("module", "source", "why"),
    [
        ("flowser.events", "import flowser.worker", "downward only"),
        ("flowser.events", "from . import worker", "downward only"),
        ("flowser.events", "from .worker import Worker", "downward only"),
        ("flowser.events", "from flowser import connect", "downward only"),
        ("flowser.events", "def late():\n    import flowser", "downward only"),
        ("flowser", "import flowser.run", "downward only"),
        ("flowser._sigv4", "import flowser.wire", "downward only"),
        ("flowser.shapes", "import anyio.abc", "msgspec and the standard library"),
        ("flowser.shapes", "import attrs", "msgspec and the standard library"),
        ("flowser.domain", "from botocore import auth", "only _client"),
        ("flowser.local.server", "import aiobotocore.session", "only _client"),
        ("flowser.run", "from flowser.local import server", "only _local"),
        ("flowser.wire", "import flowser.testing", "downward only"),
        ("flowser.local.server", "import flowser.domain", "local SWF never"),
        ("flowser.local.engine._decide", "import flowser.replay", "each other"),
        ("flowser.local.engine", "from time import monotonic", "no clock"),
        ("flowser.local.engine._ids", "import uuid", "no clock"),
        ("flowser.replay._match", "import asyncio", "no clock"),
        ("flowser.replay._match", "import flowser.wire", "downward only"),
        ("flowser.replay._loop", "import logging", "no clock"),
        ("flowser.replay._loop", "async def turn(): ...", "asynchronous"),
    ],
)
def test_a_violation_is_seen(module: str, source: str, why: str) -> None:
    [found] = violations(module, source)
    assert why in found


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("flowser", "from flowser.domain import Domain"),
        ("flowser.run", "from flowser import __version__, worker"),
        ("flowser.requests", "import json\nfrom msgspec import Struct"),
        ("flowser._client", "import aiobotocore.session, botocore.auth"),
        ("flowser.worker", "async def run(): import asyncio, time"),
        ("flowser.local.server", "async def serve(): import flowser.local.engine"),
        ("flowser.replay._loop", "import asyncio.events"),
    ],
)
def test_what_is_allowed_is_not_flagged(module: str, source: str) -> None:
    assert not [*violations(module, source)]

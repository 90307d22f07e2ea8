"""What `import flowser` gives: all that is public, sorted, and nothing else."""

import ast
import importlib
import re
from pathlib import Path

import pytest

import flowser

SOURCE = Path(flowser.__file__)


def imported() -> set[str]:
    """List the names that the package imports into itself."""
    tree = ast.parse(SOURCE.read_text("utf-8"))
    return {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_names_are_sorted_and_each_is_there_once() -> None:
    assert flowser.__all__ == sorted(set(flowser.__all__))


def test_every_name_that_is_imported_is_exported() -> None:
    assert imported() == set(flowser.__all__)


@pytest.mark.parametrize("name", flowser.__all__)
def test_name_can_be_had_and_says_what_it_is(name: str) -> None:
    found = getattr(flowser, name)
    assert found.__doc__
    assert not name.startswith("_")


@pytest.mark.parametrize("name", ["domain", "exceptions", "tasks", "types"])
def test_module_of_the_original_is_where_it_was(name: str) -> None:
    assert importlib.import_module(f"flowser.{name}").__doc__


@pytest.mark.parametrize(
    "name", ["Connection", "Domain", "Error", "Worker", "connect", "list_domains"]
)
def test_name_that_programs_begin_with_is_exported(name: str) -> None:
    assert name in flowser.__all__


def test_version_is_one() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", flowser.__version__)


def test_types_are_there_for_type_checkers() -> None:
    assert (SOURCE.parent / "py.typed").exists()

"""Saved histories as items of pytest: each is replayed against today's code.

Source:
    issue 4 section 4; pytest's documentation, "Working with non-python tests".
"""

import traceback
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from flowser.exceptions import Error
from flowser.testing.finding import Workflows
from flowser.testing.histories import read
from flowser.testing.replaying import replay_saved

_plugin = pytest.StashKey["Histories"]()


class Histories:
    """Collects histories; a plugin of pytest, when the option is given."""

    def __init__(self, config: pytest.Config, given: list[str]) -> None:
        """Look where they are.

        Args:
            config: Of pytest.
            given: Folders, or single files.

        Raises:
            pytest.UsageError: When there is no such folder.
        """
        self._config = config
        self._paths = [_found(config, each) for each in given]
        self._collected: set[Path] = set()
        config.stash[_plugin] = self
        # Before version 9, pytest leaves out a folder when another in it is named, too.
        named = [_path_of(config, arg) for arg in config.args]
        for path in self._paths:
            if not any(path.is_relative_to(each) for each in named):
                config.args.append(str(path))

    @cached_property
    def workflows(self) -> Workflows:
        """The workflows that there are, when all tests have been imported."""
        named: list[str] = self._config.getini("flowser_workflows")
        return Workflows([*named, *self._config.getoption("flowser_workflows")])

    @pytest.hookimpl(tryfirst=True)
    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Look into a folder that was named, also when it is a hidden one, say."""
        return False if collection_path in self._paths else None

    def pytest_collect_file(
        self, file_path: Path, parent: pytest.Collector
    ) -> pytest.Collector | None:
        """Take a history."""
        inside = [path for path in self._paths if file_path.is_relative_to(path)]
        if not inside or file_path.suffix.lower() != ".json":
            return None
        self._collected.update(inside)
        made: pytest.Collector = HistoryFile.from_parent(parent, path=file_path)
        return made

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self) -> None:
        """Refuse folders without any history: they would pass for ever.

        Raises:
            pytest.UsageError: Naming one.
        """
        for path in self._paths:
            if path not in self._collected:
                words = f"--flowser-histories: there is no *.json in {path}"
                reason = "or a folder above it is among pytest's norecursedirs"
                raise pytest.UsageError(f"{words}, {reason}")


class HistoryFile(pytest.File):
    """A file with a history."""

    def collect(self) -> Iterator[pytest.Item]:
        """Give its only item."""
        yield Replay.from_parent(self, name="replay")


class Replay(pytest.Item):
    """Replays a history."""

    def runtest(self) -> None:
        """Replay it.

        Raises:
            Error: Why it cannot be, or that it goes another way.
        """
        saved = read(self.path)
        found = self.config.stash[_plugin].workflows.find(saved)
        replay_saved(found.kind, saved, found.serializer)

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """Tell what is wrong, without the frames of those who found it."""
        error = excinfo.value
        if isinstance(error, Error):
            return "".join(traceback.format_exception_only(error)).rstrip()
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Say what it is."""
        return self.path, None, f"replay of {self.path.name}"


def _path_of(config: pytest.Config, arg: str) -> Path:
    """Give the path of an argument, without the names in its file."""
    return (config.invocation_params.dir / arg.partition("::")[0]).resolve()


def _found(config: pytest.Config, given: str) -> Path:
    """Find a folder from where pytest was called, or else from its root."""
    if not given:  # an empty variable, say; it would be all that is below
        raise pytest.UsageError("--flowser-histories: name a folder")
    for base in (config.invocation_params.dir, config.rootpath):
        path = (base / given).resolve()
        if path.exists():
            return path
    words = f"--flowser-histories: there is no {given}"
    raise pytest.UsageError(f"{words} in {config.invocation_params.dir}")

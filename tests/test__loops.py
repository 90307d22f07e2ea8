"""The event loop of the commands."""

import asyncio
import sys

import pytest
import uvloop

from flowser._loops import loop_factory


def test_uvloop_is_taken_when_it_is_installed() -> None:
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        assert isinstance(runner.get_loop(), uvloop.Loop)


def test_asyncio_makes_the_loop_when_uvloop_is_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)  # as if it were not there
    assert loop_factory() is None

"""Ends the runs that a test kept."""

from collections.abc import Iterator

import pytest

from tests.replay.story import STORIES


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    yield
    while STORIES:
        STORIES.pop().run.end()

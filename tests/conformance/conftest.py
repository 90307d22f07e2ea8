"""A moto for the scenarios alone.

What some of them leave behind ("NONE" for a time-out, swf-semantics.md section 10.2)
makes moto fail at whatever it is asked later, by any test.
"""

from collections.abc import Iterator

import pytest

from tests.support.processes import moto_server


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """The URL of a moto server that nobody else talks to."""
    with moto_server() as url:
        yield url

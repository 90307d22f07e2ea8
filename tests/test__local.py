"""An SWF of one's own begins and ends with a block."""

import asyncio
import sys
from urllib.parse import urlsplit

import pytest

from flowser import _local
from flowser.domain import list_domains
from flowser.exceptions import ConfigurationError


async def test_local_swf_answers_and_is_gone_afterwards() -> None:
    async with _local.connect_local() as conn:
        assert [info async for info in list_domains(conn)] == []
        assert conn.region_name == "us-east-1"
        port = urlsplit(conn.endpoint_url).port
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_missing_server_is_told_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "moto", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'flowser\[local\]'"):
        async with _local.connect_local():
            pass


async def test_server_that_does_not_start_is_told_in_its_last_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_local, "_CHILD", "raise SystemExit('no flask')")
    with pytest.raises(ConfigurationError, match="does not start: no flask"):
        async with _local.local_swf():
            pass


async def test_server_that_ends_without_a_word_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_local, "_CHILD", "")
    with pytest.raises(ConfigurationError, match="without a word"):
        async with _local.local_swf():
            pass

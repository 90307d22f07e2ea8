"""An SWF of one's own begins and ends with a block."""

import asyncio
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import flowser
from flowser import _local
from flowser.domain import list_domains
from flowser.exceptions import ConfigurationError
from tests.support.processes import child_environment


class Shop(flowser.Domain):
    name = "shop"


async def test_local_swf_answers_and_is_gone_afterwards() -> None:
    async with _local.connect_local() as conn:
        assert [info async for info in list_domains(conn)] == []
        assert conn.region_name == "us-east-1"
        port = urlsplit(conn.endpoint_url).port
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_local_swf_keeps_in_its_file_what_it_was_told(tmp_path: Path) -> None:
    for _ in range(2):
        async with _local.connect_local(db=tmp_path / "swf.db") as conn:
            await Shop(conn).register()
            assert [info.name async for info in list_domains(conn)] == ["shop"]


async def test_region_of_local_swf_can_be_chosen() -> None:
    async with _local.connect_local(region_name="eu-west-1") as conn:
        await Shop(conn).register()
        assert ":eu-west-1:" in ((await Shop(conn).describe()).domain_info.arn or "")


async def test_file_that_is_none_of_ours_is_told_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary")
    with pytest.raises(ConfigurationError, match=r"notes\.txt"):
        async with _local.connect_local(db=path):
            pass
    assert path.read_text() == "dear diary"


async def test_db_that_is_no_path_is_refused_by_name() -> None:
    db: object = 7
    with pytest.raises(ConfigurationError, match="db is of type int"):
        async with _local.connect_local(db=db):  # type: ignore[arg-type]
            pass


def test_who_talks_to_aws_loads_no_server() -> None:
    code = "import flowser, sys; assert 'flowser.local' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], env=child_environment(), check=True)

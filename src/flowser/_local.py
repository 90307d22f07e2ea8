"""An SWF on this machine, for as long as a block lasts.

Strategy: ``flowser.local`` runs in this process, and the client speaks to it over a
socket, as to any SWF. So does whoever is told its URL.

Rules: the only importer of ``flowser.local`` in the client, and not before it is asked
for: who talks to AWS loads no server.

Source:
    DESIGN section 2; issue 3 section 3.
"""

import contextlib
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from flowser._client import connect
from flowser._lean import Connection
from flowser.exceptions import ConfigurationError

log = logging.getLogger("flowser.local")


@contextlib.asynccontextmanager
async def connect_local(
    *, db: str | os.PathLike[str] | None = None, **options: Any
) -> AsyncIterator[Connection]:
    """Start an SWF on this machine, and open a way to it.

    ::

        async with flowser.connect_local() as conn:
            photos = Photos(conn)

    It is a complete SWF, for development and tests; production is AWS SWF.

    Args:
        db: The file to keep all in; without it, all is forgotten at the end.
        **options: Those of :func:`flowser.connect`.

    Raises:
        ConfigurationError: When the file cannot be used; says why.
    """
    from flowser.local.server import serve  # noqa: PLC0415 - only who asks loads it

    if db is not None and not isinstance(db, (str, os.PathLike)):
        kind = type(db).__name__
        raise ConfigurationError(f"db is of type {kind}: give the path of a file")
    async with serve(None if db is None else Path(db)) as server:
        kept = f"all is kept in {db}" if db else "it keeps nothing when it ends"
        log.info("a local SWF listens at %s; %s", server.url, kept)
        async with connect(**(_credentials(server.url) | options)) as conn:
            conn.release_polls = server.release
            yield conn


def _credentials(url: str) -> dict[str, str]:
    """Give the options of a connection to a local SWF, which takes any keys."""
    return {
        "endpoint_url": url,
        "region_name": "us-east-1",
        "aws_access_key_id": "local",
        "aws_secret_access_key": "local",
    }

"""flowser: the asyncio-native framework for Amazon Simple Workflow Service (SWF).

::

    async with flowser.connect(region_name="eu-west-1") as conn:
        domain = Photos(conn)                  # a subclass of flowser.Domain
        await domain.register()
        async with flowser.Worker(domain):     # serves its types
            handle = await domain.start(Album, {"id": "a-1"})
            print(await handle.result())
"""

from flowser import (
    decisions,
    events,
    exceptions,
    flow,
    requests,
    results,
    serializing,
    shapes,
    tasks,
    types,
)
from flowser._client import connect
from flowser._deps import deps, providing
from flowser._lean import Connection
from flowser._local import connect_local
from flowser.domain import Domain, list_domains
from flowser.exceptions import Error
from flowser.tasks import current_activity
from flowser.worker import Worker

__version__ = "0.1.0"

__all__ = [
    "Connection",
    "Domain",
    "Error",
    "Worker",
    "connect",
    "connect_local",
    "current_activity",
    "decisions",
    "deps",
    "events",
    "exceptions",
    "flow",
    "list_domains",
    "providing",
    "requests",
    "results",
    "serializing",
    "shapes",
    "tasks",
    "types",
]

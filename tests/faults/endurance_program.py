"""A worker that says, after so many tasks, how large it has grown.

Arguments: the URL of an SWF that always has a task; the numbers of tasks after which
to look.
"""

import asyncio
import gc
import re
import sys
from pathlib import Path

import flowser
from flowser.tasks import Activity
from tests.faults.farm import Farm, Work


def measured() -> str:
    """Give the most memory it had, its open files, and the tasks it still knows."""
    gc.collect()
    kept = sum(isinstance(thing, Activity) for thing in gc.get_objects())
    # Not ru_maxrss: that begins with the size of the process that started this one.
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    most = found[1] if found else "0"
    return f"{most} {sum(1 for _ in Path('/dev/fd').iterdir())} {kept}"


async def main(url: str, looks: list[int]) -> None:
    """Work, and look now and then."""
    async with flowser.connect(endpoint_url=url) as conn:
        worker = flowser.Worker(Farm(conn), activities=20, activity_pollers=8)

        @worker.activity(Work)
        async def work(text: str) -> str:
            done = worker.counts["activities completed"]
            if looks and done >= looks[0]:
                sys.stdout.write(f"after {looks.pop(0)}: {measured()}\n")
                sys.stdout.flush()
            if not looks:
                worker.abort()
            return text

        await worker.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], [int(number) for number in sys.argv[2:]]))

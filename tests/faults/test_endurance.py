"""Ten thousand tasks, and nothing is left of them.

Source:
    reliability.md section 4 experiment 36.
"""

from pathlib import Path

import msgspec

from tests.faults import endurance_program
from tests.faults.farm import POLL_ACTIVITY, TASK
from tests.support.http import Connection, HttpServer, Request
from tests.support.processes import run_python

PROGRAM = Path(endurance_program.__file__)
_TASK = msgspec.json.encode({**TASK, "input": msgspec.json.encode("x" * 500).decode()})


def answer(request: Request, connection: Connection) -> None:
    """Give a task to every poll, and take every answer."""
    connection.reply(_TASK if request.operation == POLL_ACTIVITY else b"")


async def test_ten_thousand_tasks_leave_nothing_behind() -> None:
    """Experiment 36: memory and open files flat; no task is kept after its answer."""
    server = HttpServer(answer)
    url = f"http://127.0.0.1:{await server.listen()}"
    looks = ["2000", "10000"]
    async with run_python(PROGRAM, url, *looks) as child:
        seen = []
        for look in looks:
            words = rf"after {look}: (\d+) (\d+) (\d+)"
            found = await child.line_matching(words, timeout=50)
            seen.append([int(number) for number in found.groups()])
        await child.wait()
    await server.abort()
    (memory, files, _), (memory_later, files_later, kept) = seen
    assert memory_later <= memory * 1.05
    assert files_later <= files + 2
    assert kept <= 20  # those in hand

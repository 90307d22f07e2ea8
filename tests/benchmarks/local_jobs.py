"""What the load does: it starts, decides, works and terminates."""

import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from tests.benchmarks.load import Caller, spread
from tests.benchmarks.local_servers import LocalServer
from tests.support import arithmetic

#: How many calls are made at once.
CALLERS = 32

_encode = msgspec.json.Encoder().encode

DECISIONS = arithmetic.task_list(arithmetic.WORKFLOW)
_TASKS = arithmetic.task_list("MultiplyActivity")
_START = _encode(
    {
        "domain": arithmetic.DOMAIN,
        "workflowId": "Arithmetic-#",
        "workflowType": {"name": arithmetic.WORKFLOW, "version": arithmetic.VERSION},
        "executionStartToCloseTimeout": "86400",
        "input": '{"id":"1","operations":[["mult_id","multiply",[1,2,3]]]}',
    }
).replace(b"#", b"%d")


class _Execution(msgspec.Struct, rename="camel"):
    workflow_id: str


class _Task(msgspec.Struct, rename="camel"):
    task_token: str
    workflow_execution: _Execution


_task = msgspec.json.Decoder(_Task).decode


def poll(name: str, **members: Any) -> bytes:
    """Write a poll of a task list."""
    return _encode({"domain": arithmetic.DOMAIN, "taskList": {"name": name}, **members})


class Spent(NamedTuple):
    """What a request took, on average: seconds on the wall, and of the server's CPU."""

    wall: float
    cpu: float


class Jobs:
    """The jobs at one server.

    Attributes:
        server: Where.
        callers: Who makes the calls.
        decided: The workflow ids of the runs that were decided and go on.
    """

    def __init__(self, server: LocalServer, callers: int = CALLERS) -> None:
        """Work at *server*, with so many connections."""
        self.server = server
        self.callers = [Caller(server.url) for _ in range(callers)]
        self.decided: list[str] = []
        self._numbers = itertools.count()

    async def start(self, caller: Caller) -> None:
        """Start an execution."""
        await caller.call("StartWorkflowExecution", _START % next(self._numbers))

    async def decide(
        self,
        caller: Caller,
        given: bytes = poll(DECISIONS),
        before: Sequence[Any] = (),
    ) -> None:
        """Poll for a decision task, and schedule an activity.

        Args:
            caller: Who makes the calls.
            given: The poll.
            before: Other decisions.
        """
        task = _task(await caller.call("PollForDecisionTask", given))
        self.decided.append(task.workflow_execution.workflow_id)
        decisions = [*before, self._schedule()]
        answer = {"taskToken": task.task_token, "decisions": decisions}
        await caller.call("RespondDecisionTaskCompleted", _encode(answer))

    def _schedule(self) -> dict[str, Any]:
        kind = {"name": "MultiplyActivity", "version": arithmetic.VERSION}
        return {
            "decisionType": "ScheduleActivityTask",
            "scheduleActivityTaskDecisionAttributes": {
                "activityType": kind,
                # moto refuses an id that was used before.
                "activityId": f"MultiplyActivity-{next(self._numbers)}",
                "input": '{"id":"1","operation":["mult_id",[1,2,3]]}',
            },
        }

    async def work(self, caller: Caller) -> None:
        """Poll for an activity task, and complete it."""
        task = _task(await caller.call("PollForActivityTask", poll(_TASKS)))
        answer = {"taskToken": task.task_token, "result": '["mult_id",6]'}
        await caller.call("RespondActivityTaskCompleted", _encode(answer))

    async def terminate(self, caller: Caller) -> None:
        """End one of the runs that were decided."""
        given = {"domain": arithmetic.DOMAIN, "workflowId": self.decided.pop()}
        await caller.call("TerminateWorkflowExecution", _encode(given))

    async def timed(
        self, job: Callable[[Caller], Awaitable[Any]], times: int, requests: int
    ) -> Spent:
        """Do a job so many times, and tell what each of its requests took."""
        cpu, wall = self.server.cpu(), time.perf_counter()
        await spread(self.callers, job, times)
        wall, cpu = time.perf_counter() - wall, self.server.cpu() - cpu
        return Spent(wall / times / requests, cpu / times / requests)

    def close(self) -> None:
        """Hang up."""
        for caller in self.callers:
            caller.close()


async def captured(jobs: Jobs, ceiling: Jobs) -> None:
    """Let the ceiling give the very answers that a server gives to the jobs.

    The server is left as it was.
    """
    recorder = _Recorder(jobs.server.url)
    for job in (jobs.start, jobs.decide, jobs.work, jobs.terminate):
        await job(recorder)
    recorder.close()
    for operation, answer in recorder.answers.items():
        await ceiling.callers[0].call(operation, answer, method="PUT")


class _Recorder(Caller):
    """Remembers the answers, by operation."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.answers: dict[str, bytes] = {}

    async def call(self, operation: str, body: bytes, method: str = "POST") -> bytes:
        answer = self.answers[operation] = await super().call(operation, body, method)
        return answer

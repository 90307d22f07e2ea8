"""The transitions of the mini SWF: schedule, hand out, time out, close.

Rules: a transition appends all its events with one timestamp, then `settle` adds the
decision task they call for, then `match` brings tasks and waiting polls together. So
the events of one batch of decisions stay contiguous.

Source: swf-semantics.md, sections 2.2, 5 and 11.
"""

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from functools import partial

from tests.support.answers import Refused, invalid, unknown_resource
from tests.support.mini_model import (
    TIMEOUT_TYPES,
    ActivityTask,
    DecisionTask,
    Domain,
    Execution,
    Queue,
    Task,
    Waiter,
    unknown_task,
)
from tests.support.mini_pages import Params, encode, page, unseal
from tests.support.watch import Watch

# kind ("decision" or "activity"), domain, task list
QueueKey = tuple[str, str, str]

# What a poll gets that waited in vain: no taskToken; section 2.1.
EMPTY = {
    "decision": encode({"startedEventId": 0, "previousStartedEventId": 0}),
    "activity": encode({"startedEventId": 0}),
}


class Engine:
    """All the state of one mini SWF.

    Attributes:
        events: How many events of each type were written.
        errors: What went wrong inside; the server raises them when it is left.
        now: The time of the current transition; seconds since the epoch.
    """

    def __init__(self, poll_seconds: float, second: float, page_size: int) -> None:
        """Create an empty SWF.

        Args:
            poll_seconds: How long an empty poll is held; real seconds.
            second: How long a second of a timeout or timer lasts; real seconds.
            page_size: The most events in a page.
        """
        self._poll_seconds = poll_seconds
        self._second = second
        self.page_size = page_size
        self._touched: deque[Queue] = deque()
        self.domains: dict[str, Domain] = {}
        self.runs: dict[str, Execution] = {}
        self.queues: defaultdict[QueueKey, Queue] = defaultdict(Queue)
        self.events: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.errors: list[Exception] = []
        self.watch = Watch(lambda: f"{dict(self.calls)}, {dict(self.events)}")
        self.now = 0.0

    # -- time ---------------------------------------------------------------------

    def tick(self) -> None:
        """Read the clock for a new transition; it never runs backwards."""
        wall = time.time()  # noqa: TID251  (events bear dates)
        self.now = max(self.now, round(wall, 3))

    def later(
        self, seconds: str | None, act: Callable[[], None]
    ) -> asyncio.TimerHandle | None:
        """Do *act* as a transition of its own, later.

        Args:
            seconds: As SWF writes durations; ``NONE`` means never.
            act: What to do.
        """
        if seconds is None or seconds == "NONE":
            return None
        loop = asyncio.get_running_loop()
        return loop.call_later(int(seconds) * self._second, self._run, act)

    def _run(self, act: Callable[[], None]) -> None:
        self.tick()
        try:
            act()
            self.match()
        except Exception as error:  # noqa: BLE001  (raised when the server is left)
            self.errors.append(error)
        self.watch.poke()

    # -- events and decision tasks --------------------------------------------------

    def append(self, execution: Execution, event_type: str, attributes: Params) -> int:
        """Append an event, count it, and give its id."""
        self.events[event_type] += 1
        return execution.append(event_type, self.now, attributes)

    def settle(self, execution: Execution) -> None:
        """Schedule the decision task that the latest events call for, if any."""
        if not execution.is_open:
            return
        if execution.woken and execution.pending is None:
            config = execution.config
            attributes = {
                "taskList": config["taskList"],
                "startToCloseTimeout": config["taskStartToCloseTimeout"],
                "scheduleToStartTimeout": "NONE",
                "taskPriority": config.get("taskPriority"),
            }
            scheduled_id = self.append(execution, "DecisionTaskScheduled", attributes)
            task_list = config["taskList"]["name"]
            execution.pending = DecisionTask(execution, task_list, scheduled_id)
            execution.tasks[scheduled_id] = execution.pending
        execution.woken = False
        if execution.pending and execution.running is None:
            self.enqueue("decision", execution.pending)

    def decision_timed_out(self, task: DecisionTask) -> None:
        """Give up a decision task that was started and not completed in time."""
        execution = task.execution
        task.close()
        execution.running = None
        attributes = {
            "timeoutType": "START_TO_CLOSE",
            "scheduledEventId": task.scheduled_id,
            "startedEventId": task.started_id,
        }
        self.append(execution, "DecisionTaskTimedOut", attributes)
        self.settle(execution)

    # -- task lists -----------------------------------------------------------------

    def enqueue(self, kind: str, task: Task) -> None:
        """Put a task on its list, once; `match` hands it out."""
        if task.queued:
            return
        task.queued = True
        queue = self.queues[kind, task.execution.domain.name, task.task_list]
        queue.tasks.append(task)
        self._touched.append(queue)

    def poll(self, key: QueueKey, waiter: Waiter) -> None:
        """Answer a poll with a task, or hold it."""
        queue = self.queues[key]
        task = queue.next_task()
        if task is not None:
            waiter.answer(self._start(task, waiter.params))
            return
        loop = asyncio.get_running_loop()
        empty = EMPTY[key[0]]
        waiter.clock = loop.call_later(self._poll_seconds, waiter.answer, empty)
        waiter.connection.on_close = waiter.leave
        queue.park(waiter)

    def match(self) -> None:
        """Hand out what was put on lists, to polls whose clients are still there."""
        while self._touched:
            queue = self._touched.popleft()
            while (task := queue.next_task()) is not None:
                waiter = queue.next_waiter()
                if waiter is None:
                    queue.tasks.appendleft(task)
                    break
                waiter.connection.reply(self._start(task, waiter.params))

    def _start(self, task: Task, params: Params) -> bytes:
        identity = params.get("identity")
        attributes = {"scheduledEventId": task.scheduled_id, "identity": identity}
        if isinstance(task, DecisionTask):
            task.started_id = self.append(
                task.execution, "DecisionTaskStarted", attributes
            )
            return self._start_decision(task, params)
        assert isinstance(task, ActivityTask)
        task.started_id = self.append(task.execution, "ActivityTaskStarted", attributes)
        return self._start_activity(task)

    def _start_decision(self, task: DecisionTask, params: Params) -> bytes:
        execution = task.execution
        execution.pending = None
        execution.running = task
        timeout = execution.config["taskStartToCloseTimeout"]
        clock = self.later(timeout, lambda: self.decision_timed_out(task))
        if clock is not None:
            task.clocks["startToCloseTimeout"] = clock
        return self.decision_page(task, params)

    def _start_activity(self, task: ActivityTask) -> bytes:
        waited = task.clocks.pop("scheduleToStartTimeout", None)
        if waited is not None:
            waited.cancel()
        self.wind(task, "startToCloseTimeout")
        self.wind(task, "heartbeatTimeout")
        body = {
            "taskToken": task.token,
            "activityId": task.activity_id,
            "startedEventId": task.started_id,
            "workflowExecution": task.execution.ids,
            "activityType": task.activity_type,
        }
        if task.input is not None:
            body["input"] = task.input
        return encode(body)

    # -- activities -----------------------------------------------------------------

    def wind(self, task: ActivityTask, timeout: str) -> None:
        """Start one clock of an activity task, or start it afresh."""
        running = task.clocks.pop(timeout, None)
        if running is not None:
            running.cancel()
        expire = task.timeouts[timeout]
        clock = self.later(expire, lambda: self.activity_timed_out(task, timeout))
        if clock is not None:
            task.clocks[timeout] = clock

    def activity_timed_out(self, task: ActivityTask, timeout: str) -> None:
        """Close an activity task because *timeout* has passed."""
        attributes = {"timeoutType": TIMEOUT_TYPES[timeout], "details": task.details}
        self.close_activity(task, "ActivityTaskTimedOut", attributes)

    def close_activity(
        self, task: ActivityTask, event_type: str, attributes: Params
    ) -> None:
        """Close an activity task with an event, as a transition of its own."""
        self.end_activity(task, event_type, attributes)
        self.settle(task.execution)

    def end_activity(
        self, task: ActivityTask, event_type: str, attributes: Params
    ) -> None:
        """Close an activity task with an event, as part of a batch of decisions."""
        task.close()
        del task.execution.activities[task.activity_id]
        ids = {"scheduledEventId": task.scheduled_id, "startedEventId": task.started_id}
        self.append(task.execution, event_type, ids | attributes)

    # -- executions -----------------------------------------------------------------

    def start(self, execution: Execution, extra: Params) -> None:
        """Begin a run whose structure has been filled in."""
        execution.started_at = self.now
        execution.domain.open[execution.workflow_id] = execution
        self.runs[execution.run_id] = execution
        started = {
            "workflowType": execution.workflow_type,
            "tagList": execution.tags,
            "parentInitiatedEventId": 0,
        }
        attributes = started | execution.config | extra
        self.append(execution, "WorkflowExecutionStarted", attributes)
        limit = execution.config["executionStartToCloseTimeout"]
        time_out = partial(self._execution_timed_out, execution)
        execution.clock = self.later(limit, time_out)
        self.settle(execution)

    def _execution_timed_out(self, execution: Execution) -> None:
        policy = execution.config["childPolicy"]
        attributes = {"timeoutType": "START_TO_CLOSE", "childPolicy": policy}
        self.append(execution, "WorkflowExecutionTimedOut", attributes)
        self.close(execution, "TIMED_OUT")

    def close(self, execution: Execution, status: str) -> None:
        """Close a run whose last event has been appended; nothing follows it."""
        execution.close_status = status
        execution.closed_at = self.now
        execution.running = execution.pending = None
        self._stop_clocks(execution)
        del execution.domain.open[execution.workflow_id]
        execution.domain.closed.append(execution)

    def stop(self) -> None:
        """Let every held poll go, and stop all clocks."""
        for (kind, _, _), queue in self.queues.items():
            for waiter in queue.waiters:
                if waiter.live:
                    waiter.answer(EMPTY[kind])
        for execution in self.runs.values():
            self._stop_clocks(execution)

    @staticmethod
    def _stop_clocks(execution: Execution) -> None:
        for task in tuple(execution.tasks.values()):
            task.close()
        for _, clock in execution.timers.values():
            if clock is not None:
                clock.cancel()
        if execution.clock is not None:
            execution.clock.cancel()

    # -- pages ----------------------------------------------------------------------

    def decision_page(self, task: DecisionTask, params: Params) -> bytes:
        """Build the answer of PollForDecisionTask: its first page, or a later one."""
        execution = task.execution
        first = 1
        if params.get("startAtPreviousStartedEvent"):
            first = max(execution.previous_started_id, 1)
        ids = (execution.run_id, task.scheduled_id)
        span = (first, task.started_id)
        more = page(execution.events, params, ids, span, self.page_size)
        answer = {
            "taskToken": task.token,
            "startedEventId": task.started_id,
            "previousStartedEventId": execution.previous_started_id,
            "workflowExecution": execution.ids,
            "workflowType": execution.workflow_type,
        }
        return encode(answer | more)

    # -- lookup ---------------------------------------------------------------------

    def domain(self, name: str) -> Domain:
        """Find a domain, or refuse."""
        domain = self.domains.get(name)
        if domain is None:
            raise Refused(unknown_resource(f"Unknown domain: {name}"))
        return domain

    def task(self, token: object) -> Task:
        """Find the open task of a token, or refuse with the words of section 1.3."""
        run_id, scheduled_id, kind = unseal(token, "task")
        execution = self.runs.get(run_id)
        if execution is None:
            raise Refused(invalid("Invalid token"))
        if not execution.is_open:
            raise execution.unknown
        task = execution.tasks.get(scheduled_id)
        if task is None:
            raise unknown_task(kind, scheduled_id)
        return task

"""Deadlines and places on task lists: set by the fold, never by anybody else.

Source:
    swf-semantics.md sections 2.1 and 5.
"""

from flowser.local.engine.durations import milliseconds
from flowser.local.engine.heaps import Entry
from flowser.local.engine.state import Due, Queue, QueueKey, State, Task


def enqueue(
    state: State, task: Task, kind: str, name: str, priority: str | None
) -> None:
    """Put a task on its list."""
    domain = task.run.domain
    key = QueueKey(kind, domain.region, domain.name, name)
    queue = state.queues.get(key)
    if queue is None:
        queue = state.queues[key] = Queue(key)
    task.queue = queue
    # One number, so that restarts find the order again: priority, then time.
    order = (-int(priority or 0) << 48) + task.scheduled_at
    task.place = queue.tasks.put(order, task)
    state.touched[key] = None


def dequeue(state: State, task: Task) -> None:
    """Take a task from its list; a list with nothing on it is none."""
    if task.queue is not None:
        task.queue.tasks.discard(task.place)
        if not task.queue.tasks:
            del state.queues[task.queue.key]
        task.queue = task.place = None


def stop(state: State, task: Task) -> None:
    """Take a task from its list, and stop its clocks."""
    dequeue(state, task)
    for clock in task.clocks.values():
        state.deadlines.discard(clock)
    task.clocks.clear()


def start(state: State, task: Task, clock: str, at: int, duration: str | None) -> None:
    """Let a clock of a task run."""
    wait = milliseconds(duration, state.quotas.lifetime)
    if wait is not None:
        due = Due(clock, task.run.number, task.id)
        task.clocks[clock] = state.deadlines.put(at + wait, due)


def restart(
    state: State, task: Task, clock: str, at: int, duration: str | None
) -> None:
    """Let a clock of a task run from the beginning."""
    state.deadlines.discard(task.clocks.pop(clock, None))
    start(state, task, clock, at, duration)


def deadline(
    state: State, at: int, duration: str | None, due: Due
) -> Entry[Due] | None:
    """Let a clock run, unless it would run for ever."""
    wait = milliseconds(duration, state.quotas.lifetime)
    if wait is None:
        return None
    return state.deadlines.put(at + wait, due)

"""Token buckets: how SWF throttles.

A bucket holds so many tokens at most, and gains so many a second; a call takes one.
Kept as the time at which the bucket will be full again, so that an untouched bucket
costs nothing. Times are milliseconds.

Source:
    swf-semantics.md section 8.2.
"""

from typing import NamedTuple


class Rate(NamedTuple):
    """A bucket's size, and how many tokens it gains a second."""

    size: int
    refill: int


_CALLS: tuple[tuple[Rate, str], ...] = (
    (Rate(2000, 200), "PollForActivityTask"),
    (Rate(2000, 200), "PollForDecisionTask"),
    (Rate(2000, 200), "RespondDecisionTaskCompleted"),
    (Rate(2000, 200), "RespondActivityTaskCompleted"),
    (Rate(2000, 200), "RespondActivityTaskFailed"),
    (Rate(2000, 200), "RespondActivityTaskCanceled"),
    (Rate(2000, 200), "StartWorkflowExecution"),
    (Rate(2000, 160), "RecordActivityTaskHeartbeat"),
    (Rate(2000, 30), "SignalWorkflowExecution"),
    (Rate(2000, 30), "RequestCancelWorkflowExecution"),
    (Rate(2000, 60), "TerminateWorkflowExecution"),
    (Rate(2000, 60), "GetWorkflowExecutionHistory"),
    (Rate(2000, 6), "DescribeWorkflowExecution"),
    (Rate(2000, 6), "DescribeActivityType"),
    (Rate(2000, 6), "DescribeWorkflowType"),
    (Rate(2000, 6), "CountOpenWorkflowExecutions"),
    (Rate(2000, 6), "CountClosedWorkflowExecutions"),
    (Rate(200, 6), "CountPendingActivityTasks"),
    (Rate(200, 6), "CountPendingDecisionTasks"),
    (Rate(200, 48), "ListOpenWorkflowExecutions"),
    (Rate(200, 6), "ListClosedWorkflowExecutions"),
    (Rate(200, 6), "ListActivityTypes"),
    (Rate(200, 6), "ListWorkflowTypes"),
    (Rate(200, 60), "RegisterActivityType"),
    (Rate(200, 60), "RegisterWorkflowType"),
    (Rate(200, 6), "DeprecateActivityType"),
    (Rate(200, 6), "DeprecateWorkflowType"),
    (Rate(200, 6), "UndeprecateActivityType"),
    (Rate(200, 6), "UndeprecateWorkflowType"),
    (Rate(200, 6), "DeleteActivityType"),
    (Rate(200, 6), "DeleteWorkflowType"),
    (Rate(100, 6), "ListDomains"),
    (Rate(100, 6), "RegisterDomain"),
    (Rate(100, 6), "DeprecateDomain"),
    (Rate(100, 6), "UndeprecateDomain"),
    (Rate(200, 6), "DescribeDomain"),
    (Rate(50, 30), "TagResource"),
    (Rate(50, 30), "UntagResource"),
    (Rate(50, 30), "ListTagsForResource"),
)

#: The bucket of each of the 39 operations, for an account.
CALLS: dict[str, Rate] = {operation: rate for rate, operation in _CALLS}

#: The bucket of each decision that has one, for an account.
DECISIONS: dict[str, Rate] = {
    "RequestCancelExternalWorkflowExecution": Rate(1200, 120),
    "SignalExternalWorkflowExecution": Rate(1200, 120),
    "ScheduleActivityTask": Rate(1000, 200),
    "StartTimer": Rate(2000, 200),
    "StartChildWorkflowExecution": Rate(500, 12),
}

#: The bucket of an operation, for one execution.
RUN_CALLS: dict[str, Rate] = {
    "GetWorkflowExecutionHistory": Rate(400, 200),
    "SignalWorkflowExecution": Rate(1000, 1000),
    "RecordActivityTaskHeartbeat": Rate(1000, 1000),
    "RequestCancelWorkflowExecution": Rate(200, 200),
}


class Bucket:
    """One bucket; full at first."""

    __slots__ = ("_full_at", "_rate")

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        # In fractions of a millisecond of which a token takes a thousand to come back.
        self._full_at = 0

    def take(self, now: int) -> bool:
        """Take a token; tell whether there was one.

        Args:
            now: Milliseconds.
        """
        at = now * self._rate.refill
        full_at = max(self._full_at, at) + 1000
        if full_at - at > self._rate.size * 1000:
            return False
        self._full_at = full_at
        return True


class Throttle:
    """The buckets of an account, by region, and those of its runs; or none at all.

    Attributes:
        on: Whether there are any.
    """

    def __init__(self, *, on: bool) -> None:
        """Throttle as AWS does, or never."""
        self.on = on
        self._buckets: dict[tuple[str | int, str], Bucket] = {}

    def call(self, operation: str, region: str, now: int) -> bool:
        """Tell whether a call may be made."""
        return self._take(CALLS, operation, region, now)

    def decision(self, decision: str, region: str, now: int) -> bool:
        """Tell whether a decision may be carried out."""
        return self._take(DECISIONS, decision, region, now)

    def run(self, operation: str, run: int, now: int) -> bool:
        """Tell whether a call about this run may be made."""
        return self._take(RUN_CALLS, operation, run, now)

    def _take(
        self, rates: dict[str, Rate], name: str, whose: str | int, now: int
    ) -> bool:
        rate = rates.get(name) if self.on else None
        if rate is None:
            return True
        bucket = self._buckets.get((whose, name))
        if bucket is None:
            bucket = self._buckets[whose, name] = Bucket(rate)
        return bucket.take(now)

    def forget(self, run: int) -> None:
        """Drop the buckets of a run that is closed."""
        for operation in RUN_CALLS:
            self._buckets.pop((run, operation), None)

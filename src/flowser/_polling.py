"""How a poller polls and fares: when again, and what the log says of it, once.

Source:
    reliability.md section 0 items 1 to 7, section 4 experiments 3 to 9 and 35.
"""

import asyncio
import functools
import logging
import os
import socket
from collections import Counter
from collections.abc import Mapping

from flowser import requests, shapes
from flowser._backoff import Backoff
from flowser.exceptions import (
    ClockSkewed,
    ConnectionFailed,
    EmptyTaskPollResult,
    Error,
    ExpiredCredentials,
    InternalFailure,
    InvalidCredentials,
    LimitExceededFault,
    ResponseLost,
    Throttled,
)

log = logging.getLogger("flowser.polling")

#: Failures of a poll that pass by themselves, or when somebody mends the environment.
PASSING: tuple[type[Error], ...] = (
    ClockSkewed,
    ConnectionFailed,
    EmptyTaskPollResult,
    ExpiredCredentials,
    InternalFailure,
    InvalidCredentials,
    LimitExceededFault,
    ResponseLost,
    Throttled,
)

#: An empty answer sooner than this, in seconds, is none of SWF's, which holds a poll
#: for a minute: polling again at once would spin.
_TOO_SOON = 0.25

#: SWF says "too many pollers", not "an error": wait at least this many seconds.
_OVER_POLLING = 1.0

#: The longest pause after throttling, in seconds: SWF's bucket refills 200 times a
#: second, so that nobody has to stay away for long.
_THROTTLED = 2.0


@functools.cache
def identity() -> str:
    """Say who polls: host and process, as histories of other SDKs show."""
    return f"{socket.gethostname()}:{os.getpid()}"[:256]


def activity_poll(
    domain: str, task_list: str, who: str | None = None
) -> requests.PollForActivityTask:
    """Make a poll for an activity task.

    Args:
        domain: The name of the domain.
        task_list: The name of the task list.
        who: Who polls; host and process when None.
    """
    return requests.PollForActivityTask(
        domain=domain,
        task_list=shapes.TaskList(name=task_list),
        identity=who or identity(),
    )


def decision_poll(
    domain: str, task_list: str, who: str | None = None, page_size: int = 0
) -> requests.PollForDecisionTask:
    """Make a poll for a decision task, whose history has the newest event first.

    Args:
        domain: The name of the domain.
        task_list: The name of the task list.
        who: Who polls; host and process when None.
        page_size: Events in a page; 0 leaves it to SWF.
    """
    return requests.PollForDecisionTask(
        domain=domain,
        task_list=shapes.TaskList(name=task_list),
        identity=who or identity(),
        maximum_page_size=page_size or None,
        reverse_order=True,
    )


class Condition:
    """Tells how something fares that several try at the same time.

    One line when the first of them begins to fail, or fails in a new way (with *calm*:
    in a worse way); one when all of them are well again.
    """

    def __init__(
        self,
        what: str,
        fields: Mapping[str, str] | None = None,
        *,
        calm: float = 0.0,
    ) -> None:
        """Begin in good health.

        Args:
            what: The words of the log: "polling sums", "sending heartbeats".
            fields: What all log records carry.
            calm: Seconds after the last failure before they count as well again; for
                what each of many tries now and then.
        """
        self._what = what
        self._fields = fields or {}
        self._calm = calm
        self._ailing: dict[int, type[Error]] = {}
        self._ways: Counter[type[Error]] = Counter()
        self._told = 0  # the highest level in a time without calm
        self._calm_at = self._looking = 0.0

    def ails(
        self, who: object, error: Error, fields: Mapping[str, str | None] | None = None
    ) -> bool:
        """Note that one of them failed, and tell it when it is news.

        Args:
            who: It.
            error: How it failed.
            fields: What the log record carries of it.

        Returns:
            Whether it is news.
        """
        news = self._note(who, error)
        message = "%s fails and is tried again: %s"
        level = _level(error) if news else logging.DEBUG
        told = {**self._fields, **(fields or {})}
        log.log(level, message, self._what, error, extra=told)
        return news

    def _note(self, who: object, error: Error) -> bool:
        news = not self._ways[type(error)]
        if self._calm:
            news = _level(error) > self._told
            self._told = max(self._told, _level(error))
            self._calm_at = asyncio.get_running_loop().time() + self._calm
        self.forget(who)
        self._ailing[id(who)] = type(error)
        self._ways[type(error)] += 1
        return news

    def well(self, who: object) -> None:
        """Note that one of them works, and tell it when now all do."""
        ailed = self.forget(who)
        if self._told:
            self._look()
        elif ailed and not self._ailing:
            self._tell_well()

    def _look(self) -> None:
        """See whether it was calm for long enough, or look again when it will be."""
        if self._ailing or not self._told:
            return
        loop = asyncio.get_running_loop()
        if loop.time() >= self._calm_at:
            self._tell_well()
        elif self._looking != self._calm_at:
            self._looking = self._calm_at
            loop.call_at(self._calm_at, self._look)

    def _tell_well(self) -> None:
        self._told = 0
        log.info("%s works again", self._what, extra=self._fields)

    def forget(self, who: object) -> bool:
        """Count on one of them no longer; say whether it was failing."""
        way = self._ailing.pop(id(who), None)
        if way is not None:
            self._ways[way] -= 1
        return way is not None


class PollCondition(Condition):
    """Tells how the pollers of a task list fare."""

    def __init__(self, domain: str, task_list: str) -> None:
        """Begin in good health."""
        fields = {"domain": domain, "task_list": task_list}
        super().__init__(f"polling {task_list}", fields)
        self._list = task_list

    def ails(
        self, who: object, error: Error, fields: Mapping[str, str | None] | None = None
    ) -> bool:
        """Note a poll that failed, and tell it when it is news."""
        if isinstance(error, ResponseLost):  # each of them may have cost a task
            self.lost(str(error))
            return self._note(who, error)
        if isinstance(error, EmptyTaskPollResult):
            news = self._note(who, error)
            message = "polls of %s come back empty at once: this is not SWF's way"
            level = logging.WARNING if news else logging.DEBUG
            log.log(level, message, self._list, extra=self._fields)
            return news
        return super().ails(who, error, fields)

    def lost(self, how: str) -> None:
        """Tell that a task may have been handed out to nobody."""
        message = "a task of %s may have been handed out, SWF will time it out: %s"
        log.warning(message, self._list, how, extra=self._fields)


def _level(error: Error) -> int:
    if isinstance(error, LimitExceededFault):
        return logging.INFO
    return logging.WARNING if isinstance(error, PASSING) else logging.ERROR


class Health:
    """Judges the outcomes of the polls of one poller."""

    def __init__(
        self, domain: str, task_list: str, condition: PollCondition | None = None
    ) -> None:
        """Begin in good health.

        Args:
            domain: For the log.
            task_list: For the log.
            condition: Shared with the other pollers of the list; None for the only one.
        """
        self._condition = condition or PollCondition(domain, task_list)
        self._backoff = Backoff()
        self._throttling = Backoff(most=_THROTTLED)
        self._early = False

    def succeeded(self) -> None:
        """Note a task."""
        self._condition.well(self)
        self._backoff.reset()
        self._throttling.reset()
        self._early = False

    def failed(self, error: Error, elapsed: float) -> float:
        """Note a poll without a task, and say how long to wait before the next.

        Args:
            error: How it ended.
            elapsed: How long it took, in seconds.

        Returns:
            Seconds; 0 after an ordinary empty poll.
        """
        if isinstance(error, EmptyTaskPollResult):
            if elapsed >= _TOO_SOON:
                self.succeeded()
                return 0.0
            if not self._early:  # once is how a server lets polls go that ends
                self._early = True
                return self._backoff.pause()
        self._condition.ails(self, error)
        if isinstance(error, Throttled):
            return self._throttling.pause()
        pause = self._backoff.pause()
        if isinstance(error, LimitExceededFault):
            return pause + _OVER_POLLING
        return pause

    def lost(self, how: str) -> None:
        """Tell that a task may have been handed out to nobody."""
        self._condition.lost(how)

    def ended(self) -> None:
        """Note that this poller polls no more."""
        self._condition.forget(self)

"""Sentences of the log that several of these modules say.

Source:
    DESIGN section 4 rule 4; reliability.md section 4 experiments 10 to 14 and 27 to 33.
"""

import logging
from collections.abc import Mapping

from flowser.exceptions import ConfigurationError, Error

log = logging.getLogger("flowser.worker")

#: What log records about a task carry.
Fields = Mapping[str, str | None]


def closed(why: object, fields: Fields) -> None:
    """Say that SWF takes no answer any more, which is nobody's fault."""
    log.info("the task was closed meanwhile: %s", why, extra=fields)


def refused(error: Error, fields: Fields) -> None:
    """Say that a task stays unanswered, for its answer cannot be sent or repeated."""
    message = "SWF refuses the answer, and will time the task out: %s"
    if isinstance(error, ConfigurationError):
        message = "the task cannot be answered, SWF will time it out: %s"
    log.error(message, error, extra=fields)


def unreadable(error: Error, fields: Fields) -> None:
    """Say that a task is not decided, for nobody knows what has happened."""
    message = "the history cannot be read, SWF will time the task out: %s"
    log.warning(message, error, extra=fields)


def exits(error: BaseException, fields: Fields) -> None:
    """Say that a handler wants the process to end."""
    message = "%r in a handler: the worker stops"
    log.critical(message, error, exc_info=error, extra=fields)

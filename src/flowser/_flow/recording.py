"""Log records of workflow code, whatever logger and handlers there are.

Strategy: a factory of records, for as long as a worker works, or a run is looked at.
What is logged while a run is replayed was logged before: such a record gets a level
that no handler takes. All others that workflow code makes carry the ids of their run.

Source:
    issue 4 section 1 (logging); dx.md section 1.1 (logging).
"""

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flowser._flow.current import current

Factory = Callable[..., logging.LogRecord]

#: Below NOTSET, the level of handlers that take everything.
_NOBODY = -1

_users = 0
_lock = threading.Lock()


class _Here(threading.local):
    """What is so in this thread only."""

    silent = False


_here = _Here()


@contextmanager
def silenced() -> Iterator[None]:
    """Drop what workflow code logs in a block: nobody decides by what it does there."""
    _here.silent = True
    try:
        yield
    finally:
        _here.silent = False


@contextmanager
def recorded() -> Iterator[None]:
    """Take care of the records of workflow code in a block."""
    global _users  # noqa: PLW0603 - there is one factory in a process
    with _lock:
        if not _users:
            logging.setLogRecordFactory(_Recording(logging.getLogRecordFactory()))
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            factory = logging.getLogRecordFactory()
            if not _users and isinstance(factory, _Recording):
                logging.setLogRecordFactory(factory.base)


class _Recording:
    """Makes records, by another factory."""

    def __init__(self, base: Factory) -> None:
        self.base = base

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self.base(*args, **kwargs)
        run = current()
        if run is None:
            return record
        if run.replaying or run.loop.dead or _here.silent:
            record.levelno = _NOBODY
            return record
        fields = {"workflow_id": run.workflow_id, "run_id": run.run_id}
        if run.started is not None:
            kind = run.started.workflow_type
            fields["type"] = f"{kind.name} {kind.version}"
        # What the caller gives as `extra` must not be there already.
        extra = sys._getframe(1).f_locals.get("extra") or ()  # noqa: SLF001 - as said
        record.__dict__.update((k, v) for k, v in fields.items() if k not in extra)
        return record

"""Names what blocks the event loop, and with it every heartbeat.

Strategy: a thread asks the loop, by the real clock, whether it goes round. No timer of
the loop is needed, whose clock may jump in tests.

Source:
    reliability.md section 4 experiment 23.
"""

import asyncio
import contextlib
import logging
import selectors
import sys
import threading
import time
import traceback
from pathlib import Path
from types import FrameType, TracebackType

log = logging.getLogger("flowser.worker")

_FRAMES = 8

#: Where the loop is when it waits: it is late for another reason than a handler.
_WAITING = (selectors.__file__, str(Path(asyncio.__file__).parent))


class Watchdog:
    """Looks, from a thread of its own, whether the event loop goes round."""

    def __init__(self, patience: float) -> None:
        """Do not look yet.

        Args:
            patience: Seconds for which the loop may be blocked.
        """
        self._patience = patience
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=self._watch, name="flowser watchdog", daemon=True
        )

    def __enter__(self) -> None:
        """Watch the running loop, which runs in this thread."""
        self._loop = asyncio.get_running_loop()
        self._watched = threading.get_ident()
        self._tick()
        self._thread.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Look no more."""
        self._ended.set()

    def _tick(self) -> None:
        self._seen = time.monotonic()

    def _watch(self) -> None:
        told = asked = 0.0
        while not self._ended.wait(self._patience / 2):
            seen = self._seen
            late = time.monotonic() - seen - self._patience / 2
            if late > self._patience and told != seen:
                told = seen  # once for each time
                self._tell(late, sys._current_frames().get(self._watched))  # noqa: SLF001
            if seen > asked:
                asked = time.monotonic()
                with contextlib.suppress(RuntimeError):  # of a loop that is closed
                    self._loop.call_soon_threadsafe(self._tick)

    def _tell(self, late: float, frame: FrameType | None) -> None:
        if frame is None or frame.f_code.co_filename.startswith(_WAITING):
            return
        stack = "".join(traceback.format_stack(frame)[-_FRAMES:])
        message = (
            "the event loop has been blocked for %.1f s, and heartbeats wait: "
            "write the handler as a plain def, or use asyncio.to_thread"
        )
        record = log.makeRecord(
            log.name, logging.WARNING, __file__, 0, message, (late,), None, sinfo=stack
        )
        if log.isEnabledFor(record.levelno):
            log.handle(record)

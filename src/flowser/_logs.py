"""Log records as lines of text or JSON, with the fields that flowser gives them.

Source:
    reliability.md section 5 (no line breaks of others in a log).
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, Literal

Format = Literal["text", "json"]

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"asctime", "message", "taskName"}

#: Libraries whose everyday remarks are of interest only when something is looked for.
_TALKATIVE = ("aiobotocore", "botocore")


def configure(level: str, form: Format) -> None:
    """Write the log of all loggers to standard error.

    Args:
        level: The name of the lowest level to be written.
        form: "text" or "json".
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Json() if form == "json" else Text())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Their debug lines show credentials, and their information tells users little.
    least = logging.INFO if level == "debug" else logging.WARNING
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(least, logging.root.level))


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """Give what was passed as ``extra``, but what is None."""
    return {
        name: value
        for name, value in vars(record).items()
        if name not in _OWN and value is not None
    }


class Text(logging.Formatter):
    """Time, level, logger, message and fields in a line; then any traceback."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-8s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Write the line; what would break it is escaped."""
        line = super().formatMessage(record)
        words = " ".join(f"{name}={value}" for name, value in fields(record).items())
        return _printable(f"{line} [{words}]" if words else line)


class Json(logging.Formatter):
    """A JSON object in a line: time (UTC), level, logger, message, fields, error."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one line."""
        at = datetime.fromtimestamp(record.created, UTC)
        told: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **fields(record),
        }
        if record.exc_info and record.exc_info[0]:
            told["error"] = "".join(traceback.format_exception(*record.exc_info))
        if record.stack_info:
            told["stack"] = record.stack_info
        return json.dumps(told, default=str)


def _printable(text: str) -> str:
    """Escape control characters."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)

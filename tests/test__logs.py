"""A record is a line, of text or of JSON, with the fields it was given."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest

from flowser import _logs

BOTO = ("aiobotocore", "botocore")


def record(message: str, **extra: object) -> logging.LogRecord:
    """Make a record with fields."""
    logger = logging.getLogger("flowser.worker")
    level = logging.WARNING
    made = logger.makeRecord(
        logger.name, level, __file__, 1, message, (), None, extra=extra
    )
    made.created = 1_700_000_000.25
    return made


def failed(message: str) -> logging.LogRecord:
    """Make a record with a traceback."""
    made = record(message)
    try:
        int("no picture")
    except ValueError:
        made.exc_info = sys.exc_info()
    return made


def test_text_shows_fields_and_no_none() -> None:
    line = _logs.Text().format(record("cut off", run_id="r-1", activity_id=None))
    assert line.endswith("WARNING  flowser.worker: cut off [run_id=r-1]")


def test_line_breaks_of_others_are_escaped_in_text() -> None:
    line = _logs.Text().format(record("a\r\nb", workflow_id="w\n2026 forged"))
    assert "\n" not in line
    assert r"a\r\nb [workflow_id=w\n2026 forged]" in line


def test_traceback_follows_the_line() -> None:
    first, *rest = _logs.Text().format(failed("failed")).splitlines()
    assert first.endswith("failed")
    assert (
        rest[-1] == "ValueError: invalid literal for int() with base 10: 'no picture'"
    )


def test_json_has_fields_and_time() -> None:
    line = _logs.Json().format(record("cut\noff", run_id="r-1", what=object))
    assert "\n" not in line
    told = json.loads(line)
    assert told["time"] == "2023-11-14T22:13:20.250+00:00"
    assert told["level"] == "WARNING"
    assert told["logger"] == "flowser.worker"
    assert told["message"] == "cut\noff"
    assert told["run_id"] == "r-1"
    assert told["what"] == "<class 'object'>"


def test_json_has_traceback_and_stack() -> None:
    made = failed("failed")
    made.stack_info = "the stack"
    told = json.loads(_logs.Json().format(made))
    assert told["error"].endswith("base 10: 'no picture'\n")
    assert told["stack"] == "the stack"


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """Leave logging as it was."""
    logger = logging.getLogger()
    touched = [logger, *map(logging.getLogger, BOTO)]
    handlers, levels = logger.handlers[:], [each.level for each in touched]
    yield logger
    logger.handlers[:] = handlers
    for each, level in zip(touched, levels, strict=True):
        each.setLevel(level)


@pytest.mark.parametrize("form", ["text", "json"])
def test_log_goes_to_standard_error(
    root: logging.Logger, capsys: pytest.CaptureFixture[str], form: _logs.Format
) -> None:
    _logs.configure("warning", form)
    logging.getLogger("anyone").info("not shown")
    logging.getLogger("anyone").warning("shown")
    [line] = capsys.readouterr().err.splitlines()
    assert "shown" in line
    assert (line[0] == "{") is (form == "json")


@pytest.mark.parametrize("name", BOTO)
@pytest.mark.parametrize(
    ("level", "least"),
    [("debug", logging.INFO), ("info", logging.WARNING), ("error", logging.ERROR)],
)
def test_botocore_never_tells_what_it_signs(
    root: logging.Logger,
    capsys: pytest.CaptureFixture[str],
    name: str,
    level: str,
    least: int,
) -> None:
    """Its debug lines have headers, bodies and session tokens."""
    _logs.configure(level, "text")
    inner = logging.getLogger(f"{name}.auth")
    assert inner.getEffectiveLevel() == least
    inner.debug("CanonicalRequest: x-amz-security-token")
    inner.log(least, "shown")
    logging.getLogger("flowser").debug("ours")
    told = capsys.readouterr().err
    assert "token" not in told
    assert "shown" in told
    assert ("ours" in told) is (level == "debug")

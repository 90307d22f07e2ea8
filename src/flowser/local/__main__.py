"""Serve an SWF on this machine: ``python -m flowser.local``.

It prints where it listens, and what to set so that any AWS SDK talks to it. It is for
development and tests; production is AWS SWF itself.

Exit status: 0 when it was told to stop; 2 when it could not begin, with one line that
says why.

Source:
    issue 3 section 3.
"""

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import re
import secrets
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from flowser._loops import loop_factory
from flowser.exceptions import Error
from flowser.local.engine.quotas import Quotas
from flowser.local.functions import load
from flowser.local.server import Server, serve
from flowser.local.signatures import Keys

_ENDED, _CANNOT_BEGIN = 0, 2

#: For SDKs, which sign in any case.
_ANY = Keys("local", "local")


def parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="python -m flowser.local",
        description="Serve an SWF on this machine, for development and tests.",
        epilog="SIGTERM or Ctrl-C ends it; what it acknowledged is in the file.",
    )
    _add_where(made)
    _add_what(made)
    return made


def _add_where(made: argparse.ArgumentParser) -> None:
    made.add_argument("--host", default="127.0.0.1", help="address to listen at")
    made.add_argument("--port", type=_port, default=0, help="0 for a free one")
    words = "a name that callers know this machine by; may be repeated"
    made.add_argument(
        "--allow-host", metavar="NAME", action="append", default=[], help=words
    )
    words = "keep all in this file; without it, all is forgotten at the end"
    made.add_argument("--db", metavar="FILE", type=Path, help=words)
    words = "check signatures: of AWS_ACCESS_KEY_ID, or of a key that is printed"
    made.add_argument("--require-key", action="store_true", help=words)


def _add_what(made: argparse.ArgumentParser) -> None:
    words = "how long a poll is held (60)"
    made.add_argument(
        "--long-poll-seconds", type=_poll, default=60, metavar="N", help=words
    )
    made.add_argument(
        "--account-id", type=_account, default="123456789012", metavar="DIGITS"
    )
    words = "aws: with the token buckets of AWS (none)"
    made.add_argument("--throttle", choices=["none", "aws"], default="none", help=words)
    words = "a Lambda function: NAME=package.module:function; may be repeated"
    made.add_argument(
        "--lambda",
        dest="functions",
        metavar="NAME=...",
        action="append",
        default=[],
        help=words,
    )
    levels = ["debug", "info", "warning", "error", "critical"]
    made.add_argument("--log-level", choices=levels, default="warning")


def _port(text: str) -> int:
    return _number(text, 65_535)


def _poll(text: str) -> int:
    return _number(text, 3_600)


def _number(text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= most):
        raise argparse.ArgumentTypeError(f"{text}: give 0 to {most}")
    return int(text)


def _account(text: str) -> str:
    if not re.fullmatch(r"[0-9]{12}", text):
        raise argparse.ArgumentTypeError(f"{text}: give twelve digits")
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop.

    Args:
        arguments: Of the command line; those of this process when None.

    Returns:
        The exit status.
    """
    options = parser().parse_args(arguments)
    logging.basicConfig(
        level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        functions = dict(map(load, options.functions))
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(_serve(options, functions))
    except Error as error:
        sys.stderr.write(f"flowser.local: {' '.join(str(error).split())}\n")
        return _CANNOT_BEGIN
    except KeyboardInterrupt:
        return _ENDED  # before it listened, or on Windows


async def _serve(options: argparse.Namespace, functions: dict[str, Any]) -> int:
    keys = _keys() if options.require_key else None
    settings: dict[str, Any] = {
        "host": options.host,
        "port": options.port,
        "hosts": options.allow_host,
        "keys": keys,
        "account": options.account_id,
        "quotas": Quotas(poll=options.long_poll_seconds),
        "throttle": options.throttle == "aws",
        "functions": functions,
    }
    _allow_connections()
    async with contextlib.AsyncExitStack() as stack:
        stopped = stack.enter_context(_stopped_by_signals())
        with _no_garbage():
            server = await stack.enter_async_context(serve(options.db, **settings))
        _announce(server, keys, options.db)
        await stopped.wait()
    return _ENDED


@contextlib.contextmanager
def _no_garbage() -> Iterator[None]:
    """Spare what is read in the block, and look for garbage less often after it.

    With 100,000 open executions, a search through all of them takes half a second.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[asyncio.Event]:
    """Give what signals set; uvloop would leave its handlers behind."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = signal.SIGTERM, signal.SIGINT
    # On Windows, Ctrl-C cancels the main task instead, which ends in order too.
    with contextlib.suppress(NotImplementedError):
        for number in numbers:
            loop.add_signal_handler(number, stopped.set)
    try:
        yield stopped
    finally:
        with contextlib.suppress(NotImplementedError):
            for number in numbers:
                loop.remove_signal_handler(number)


def _allow_connections() -> None:
    """Let this process have as many open files as it may: each poll is one."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - Windows has none

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(ValueError, OSError):  # macOS has limits beside it
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _keys() -> Keys:
    """Take the key of the environment, or make one."""
    key_id = os.environ.get("AWS_ACCESS_KEY_ID")
    secret = os.environ.get("AWS_SECRET_ACCESS_KEY")
    if key_id and secret:
        return Keys(key_id, secret)
    return Keys(f"AKIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30))


def _announce(server: Server, required: Keys | None, path: Path | None) -> None:
    kept = f"kept in {path}" if path else "forgotten at the end"
    who = "only these" if required else "any will do, see --require-key"
    keys = required or _ANY
    shown = keys.secret
    if keys.secret == os.environ.get("AWS_SECRET_ACCESS_KEY"):
        shown = "$AWS_SECRET_ACCESS_KEY"  # known, and nobody else's business
    variables = {
        "AWS_ENDPOINT_URL_SWF": server.url,
        "AWS_ACCESS_KEY_ID": keys.key_id,
        "AWS_SECRET_ACCESS_KEY": shown,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
    }
    word = "set" if sys.platform == "win32" else "export"
    lines = [
        f"A local SWF for development and tests; {kept}.",
        f"endpoint: {server.url}",
        f"credentials: {who}",
        *(f"{word} {name}={value}" for name, value in variables.items()),
    ]
    sys.stdout.write("\n".join([*lines, ""]))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

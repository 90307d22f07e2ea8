"""Lambda functions of a local SWF: Python callables, called as AWS Lambda calls them.

Source:
    swf-semantics.md section 3.2 (ScheduleLambdaFunction).
"""

import asyncio
import importlib
import inspect
import json
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from flowser import limits
from flowser.exceptions import ConfigurationError
from flowser.local.engine.functions import Outcome

#: How many characters a result or details may have.
_MOST = 32_768

#: Seconds after which AWS Lambda ends any function.
_LONGEST = 900


def load(option: str) -> tuple[str, Callable[..., Any]]:
    """Load what ``--lambda NAME=package.module:function`` names.

    Args:
        option: What follows ``--lambda``.

    Returns:
        The name, and the function.

    Raises:
        ConfigurationError: When it cannot be loaded; says why.
        InvalidArgument: When SWF knows no function by such a name.
    """
    name, _, where = option.partition("=")
    module, _, path = where.partition(":")
    if not (name and module and path):
        raise ConfigurationError(
            f"--lambda {option}: write NAME=package.module:function"
        )
    limits.check_value(limits.FunctionName, name, "--lambda")
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except Exception as error:  # a module may raise anything
        raise ConfigurationError(
            f"--lambda {option}: {type(error).__name__}: {error}"
        ) from error
    if not callable(found):
        raise ConfigurationError(f"--lambda {option}: {path} is not callable")
    return name, found


async def run(function: Callable[..., Any], input: str) -> Outcome:
    """Run a function with ``(event, context)``, or ``(event)`` if it takes one.

    A plain function runs in a thread, which cannot be interrupted: when it takes too
    long, it goes on, and its result is of no use any more. There is no Lambda context:
    it is None.

    Args:
        function: A function or a coroutine function.
        input: JSON; what is none is given as a string.

    Returns:
        Its result as JSON; or the reason "Unhandled", as AWS Lambda says, with the
        error as details.
    """
    try:
        async with asyncio.timeout(_LONGEST):
            text = json.dumps(await _called(function, _arguments(function, input)))
    except BaseException as error:
        # A function may raise anything, and does not end the server by sys.exit().
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return Outcome(reason="Unhandled", details=_told(error))
    if len(text) > _MOST:
        problem = f"the result has {len(text):,} characters; SWF takes {_MOST:,}"
        return Outcome(reason="Unhandled", details=problem)
    return Outcome(result=text)


def _arguments(function: Callable[..., Any], input: str) -> tuple[Any, ...]:
    try:
        event = json.loads(input)
    except ValueError:
        event = input
    try:
        inspect.signature(function).bind(event, None)
    except (TypeError, ValueError):  # ValueError: of a built-in one, nobody knows
        return (event,)
    return event, None


async def _called(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    if inspect.iscoroutinefunction(function):
        return await function(*arguments)
    loop = asyncio.get_running_loop()
    result = await loop.run_in_executor(_THREADS, function, *arguments)
    # Of an object that is called like a function, say.
    return await result if inspect.isawaitable(result) else result


class _Threads(Executor):
    """Runs each call in a thread of its own, which the end of the process ends.

    The threads of asyncio are few, and are waited for at the end.
    """

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Begin to run something."""
        future: Future[Any] = Future()

        def work() -> None:
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - it is raised elsewhere
                future.set_exception(error)
            else:
                future.set_result(result)

        future.set_running_or_notify_cancel()
        threading.Thread(target=work, name="flowser lambda", daemon=True).start()
        return future


_THREADS = _Threads()


def _told(error: BaseException) -> str:
    found = traceback.TracebackException.from_exception(error, limit=-20)
    told = {
        "errorMessage": str(found)[:1_000],
        "errorType": type(error).__name__,
        "stackTrace": [f"{frame.name}, line {frame.lineno}" for frame in found.stack],
    }
    return json.dumps(told)[:_MOST]

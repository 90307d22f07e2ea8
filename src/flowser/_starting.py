"""One execution that ``python -m flowser.run --start`` starts, and sees through.

Whoever runs the command again, after a kill perhaps, attaches to the execution if it is
still open.

Source:
    issue 4 section 4.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from flowser._flow.declaring import OfFunction
from flowser._loading import Broken
from flowser._settings import class_of
from flowser.domain import Domain
from flowser.exceptions import Error, ExecutionError, InvalidArgument
from flowser.worker import Worker

log = logging.getLogger("flowser.run")


class Start(NamedTuple):
    """What is to be started.

    Attributes:
        kind: The workflow type, as the domain names it.
        input: Of the execution.
        id: Its workflow id.
    """

    kind: Any
    input: Any
    id: str

    @classmethod
    def read(cls, domain: Domain, words: Sequence[str], id: str | None) -> "Start":
        """Read the words after ``--start``.

        Args:
            domain: Whose types there are.
            words: The name of a workflow type, NAME:VERSION if there are several, and
                its arguments: each is JSON of the parameter's type, or else a text.
            id: The workflow id; the name of the type if None.

        Raises:
            Broken: When there is no such type, or it takes other arguments.
        """
        wanted, *texts = words
        kinds = {_title(kind): kind for kind in domain.workflow_types or ()}
        found = [title for title in kinds if wanted in (title, title.split(":")[0])]
        if len(found) != 1:
            known = ", ".join(kinds) or "none"
            raise Broken(f"--start {wanted}: the workflow types are {known}; name one")
        kind = kinds[found[0]]
        try:
            given = _input(kind, texts)
        except (TypeError, InvalidArgument) as error:
            raise Broken(f"--start {wanted}: {error}") from error
        return cls(kind, given, id or found[0].split(":")[0])


def _title(kind: Any) -> str:
    made = class_of(kind)
    return f"{made.name}:{made.version}"


def _input(kind: Any, texts: list[str]) -> Any:
    if issubclass(made := class_of(kind), OfFunction):
        parameters = made.parameters
        hints = {f.name: f.type for f in msgspec.structs.fields(parameters.struct)}
        bound = parameters.bind(tuple(texts), {}).items()
        return {name: _value(text, hints[name], name) for name, text in bound}
    if len(texts) > 1:
        raise TypeError(f"takes one input, not {len(texts)} arguments")
    return _value(texts[0], Any, "the input") if texts else None


def _value(text: str, hint: Any, name: str) -> Any:
    """Read JSON of a type, or else the text itself."""
    values = [text]
    with contextlib.suppress(ValueError):
        values.insert(0, json.loads(text))
    for value in values:
        try:
            msgspec.convert(value, hint)
        except msgspec.ValidationError as error:
            problem = f"{name}: {error}, in {text!r}"
        else:
            return value
    raise TypeError(problem)


async def see_through(worker: Worker, start: Start) -> bool:
    """Work until the execution closes, and print its result.

    Args:
        worker: Serves the domain.
        start: What is started, unless it is open already.

    Returns:
        Whether it has completed, or the worker was stopped before; and all ended in
        order.

    Raises:
        Broken: When it cannot be started.
    """
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_outcome(worker.domain, start))
        task.add_done_callback(lambda _: worker.stop())
        in_order = await worker.run()
        task.cancel()
    if task.cancelled():
        log.info("execution %s goes on without this worker", start.id)
        return in_order
    outcome = task.result()
    if isinstance(outcome, ExecutionError):
        log.error("%s: %s", type(outcome).__name__, outcome)
        return False
    if isinstance(outcome, Error):
        raise Broken(f"--start {start.id}: {outcome}") from outcome
    print(outcome)  # noqa: T201 - what the command is for
    return in_order


async def _outcome(domain: Domain, start: Start) -> str | Error:
    """Give the result of the execution, a text or JSON; or why there is none."""
    try:
        handle = await domain.start(
            start.kind, start.input, workflow_id=start.id, if_running="attach"
        )
        result = await handle.result()
    except Error as error:
        return error
    return result if isinstance(result, str) else domain.serializer.dumps(result)

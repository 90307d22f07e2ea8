"""A workflow type as the program of a run.

Source:
    DESIGN section 6; issue 4 section 1 (functions or classes).
"""

from collections.abc import Coroutine
from typing import Any

from flowser import types
from flowser._flow.declaring import Nowhere, OfFunction
from flowser._flow.failures import describe
from flowser._flow.signals import HANDLES, Handles, subscribe
from flowser.events import WorkflowExecutionStarted
from flowser.executions import DomainLike
from flowser.replay.state import State


class Program:
    """Runs the ``run`` of a class of workflows, on a new instance for every run."""

    def __init__(
        self, kind: type[types.Workflow], domain: DomainLike | None = None
    ) -> None:
        """Prepare.

        Args:
            kind: The class.
            domain: Whose serializer is used where the class has none; JSON without.
        """
        self._kind: Any = kind
        self._domain = Nowhere() if domain is None else domain
        found = ((name, getattr(kind, name, None)) for name in dir(kind))
        self._handlers: dict[str, Handles] = {
            name: getattr(method, HANDLES)
            for name, method in found
            if hasattr(method, HANDLES)
        }

    def begin(
        self, run: State, started: WorkflowExecutionStarted
    ) -> Coroutine[Any, Any, str | None]:
        """Read the input, and make the main coroutine.

        Raises:
            SerializationError: When the input cannot be read.
        """
        instance = self._kind(self._domain)
        text = started.input
        if text is None and isinstance(instance, OfFunction):
            text = "{}"  # its parameters may all have defaults
        input = None if text is None else instance.load_input(text)
        for name, handles in self._handlers.items():
            subscribe(run, handles, getattr(instance, name))
        return _main(instance, input)

    def describe(self, error: BaseException) -> tuple[str, str | None]:
        """Say in a reason and details why the run fails."""
        return describe(error)


async def _main(instance: Any, input: Any) -> str | None:
    text: str | None = instance.dumps(await instance.run(input))
    return text

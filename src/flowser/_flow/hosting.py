"""A workflow type as the program of a run.

Source:
    DESIGN section 6; issue 4 section 1 (functions or classes).
"""

from collections.abc import Coroutine
from typing import Any

from flowser import serializing, types
from flowser._flow.declaring import Nowhere, OfFunction
from flowser._flow.failures import describe
from flowser._flow.planning import call
from flowser._flow.signals import handlers_of, subscribe
from flowser.calling import DomainLike
from flowser.events import WorkflowExecutionStarted
from flowser.replay.state import State


class Program:
    """Runs the ``run`` of a class of workflows, on a new instance for every run.

    Attributes:
        kind: The class.
        domain: Whose serializer is used where the class has none.
    """

    calls = call.__code__

    def __init__(
        self, kind: type[types.Workflow], domain: DomainLike | None = None
    ) -> None:
        """Prepare.

        Args:
            kind: The class.
            domain: Whose serializer is used where the class has none; JSON without.

        Raises:
            InvalidArgument: When two of its methods handle the same signal.
        """
        self.kind: Any = kind
        self.domain = Nowhere() if domain is None else domain
        self._handlers = handlers_of(kind)

    def begin(
        self, run: State, started: WorkflowExecutionStarted
    ) -> Coroutine[Any, Any, str | None]:
        """Read the input, and make the main coroutine.

        Raises:
            SerializationError: When the input cannot be read.
        """
        serializing.use(self.domain.serializer)
        try:
            instance = self.kind(self.domain)
        except Exception as error:  # noqa: BLE001 - an author's __init__ may raise anything
            return _failing(error)
        text = started.input
        if text is None and isinstance(instance, OfFunction):
            text = "{}"  # its parameters may all have defaults
        input = None if text is None else instance.load_input(text)
        for name, handles in self._handlers.items():
            subscribe(run, handles, getattr(instance, name))
        return self.main(instance, input)

    async def main(self, instance: Any, input: Any) -> str | None:
        """Run it; give the result as text."""
        text: str | None = instance.dumps(await instance.run(input))
        return text

    def describe(self, error: BaseException) -> tuple[str, str | None]:
        """Say in a reason and details why the run fails."""
        return describe(error)


async def _failing(error: Exception) -> str | None:
    raise error

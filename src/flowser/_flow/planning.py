"""What all operations of an activity, or of a child, have in common.

Source:
    DESIGN section 3.
"""

import abc
from typing import Any

from flowser import serializing
from flowser._flow.payloads import reader
from flowser.decisions import Decision
from flowser.replay.operations import Plan
from flowser.replay.state import State


async def call(run: State, given: Any) -> Any:
    """Begin an operation, and wait for what it comes to.

    Args:
        run: The run that begins it.
        given: Its class, its plan, and its arguments.
    """
    # The frame lasts as long as the operation: what that was begun with need not.
    given = run.begin(*given)
    return await given


class Planning(abc.ABC):
    """Something that is called by its type; what is made of it is planned once."""

    type: Any
    _options: Any
    _made: tuple[serializing.Serializer, Plan] | None = None

    @property
    def _plan(self) -> Plan:
        # A class may leave it to the domain how payloads are written.
        serializer = self.type.serializer or serializing.current()
        if self._made is None or self._made[0] is not serializer:
            self._made = serializer, self._planned(serializer)
        return self._made[1]

    def _planned(self, serializer: serializing.Serializer) -> Plan:
        options = self._options
        result = self.type._hints()[1]  # noqa: SLF001 - for its callers
        return Plan(
            self.type.name,
            self._decision,
            reader(result, serializer, f"the result of {self.type.name}"),
            options.get("cancellation", "request"),
            options.get("retry"),
            options.get("id"),
        )

    @abc.abstractmethod
    def _decision(self, id: str, arguments: Any, input: str | None, /) -> Decision:
        """Make the decision that begins it; *input* is that of an earlier attempt."""

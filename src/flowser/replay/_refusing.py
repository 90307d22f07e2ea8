"""What a loop is asked for that reaches outside, or would change the order: refused.

Source:
    dx.md section 1.2 (loop methods really needed).
"""

import asyncio
from collections.abc import Callable
from typing import Any

from flowser.replay.troubles import NotReplayable


class Refusing(asyncio.AbstractEventLoop):
    """A loop that refuses whatever is not defined below, or in a subclass."""

    def get_debug(self) -> bool:
        """Never debug: tracebacks of every call cost more than they tell."""
        return False

    def is_running(self) -> bool:
        """Tell what primitives want to hear."""
        return True

    def get_task_factory(self) -> None:
        """Have none; anyio asks."""

    def set_task_factory(self, factory: Any) -> None:  # noqa: ARG002 - refused
        """Refuse: eager tasks would change the order."""
        raise NotReplayable("a task factory")

    def get_exception_handler(self) -> None:
        """Have none but our own."""

    def set_exception_handler(self, handler: Any) -> None:  # noqa: ARG002 - refused
        """Refuse: what nobody retrieved is found by the garbage collector."""
        raise NotReplayable("an exception handler")


def _refusal(name: str) -> Callable[..., Any]:
    """Make what is called when a name of a loop that is not defined above is."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise NotReplayable(f"loop.{name}()")

    refuse.__name__ = name
    return refuse


#: What is refused, where a subclass does not define it.
REFUSED = frozenset(
    name
    for name in dir(asyncio.AbstractEventLoop)
    if not name.startswith("_") and name not in vars(Refusing)
)

for _name in REFUSED:
    setattr(Refusing, _name, _refusal(_name))

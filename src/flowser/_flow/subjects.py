"""What a run that is looked at can be asked: a program that shows its inside.

Source:
    issue 4 section 4 (queries).
"""

from types import FrameType, SimpleNamespace
from typing import Any

from flowser._flow.declaring import OfFunction
from flowser._flow.hosting import Program


class Variables(SimpleNamespace):
    """The variables of a workflow function: parameters, and what it has set so far."""

    def __getattr__(self, name: str) -> Any:
        known = ", ".join(sorted(vars(self))) or "none"
        words = f"the function has no variable {name!r} there; it has {known}"
        raise AttributeError(words, name=name, obj=self)


class Shown(Program):
    """The program of one run, which shows what that keeps.

    A class keeps what it knows in its instance, a function in its variables.
    """

    _instance: Any = None
    _frame: FrameType | None = None

    @property
    def subject(self) -> Any:
        """The instance of a class; of a function a copy of its variables."""
        if self._frame is None:
            return self._instance
        return Variables(**self._frame.f_locals)

    async def main(self, instance: Any, input: Any) -> str | None:
        """Run it, and remember what it is."""
        self._instance = instance
        if not isinstance(instance, OfFunction):
            return await super().main(instance, input)
        coro = instance.parameters.call(input)
        self._frame = coro.cr_frame  # outlives the coroutine: a closed run has it, too
        text: str | None = instance.dumps(await coro)
        return text

"""The list of scenarios, and what each of them needs."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from flowser.local.engine.quotas import Quotas
from tests.conformance.face import Swf

Play = Callable[[Swf], Awaitable[None]]


class Scenario(NamedTuple):
    """A scenario.

    Attributes:
        play: Plays it.
        clock: Whether it turns the clock.
        quotas: What is to be lowered.
        throttle: Whether calls are to be throttled as AWS throttles them.
        functions: Lambda functions that there are to be.
        many: Whether it makes so many calls that it is spared those over sockets.
        typed: Whether all that it sends is what a typed client could send.
        moto: What of it moto cannot do; the sections are of swf-semantics.md.
        aws: Why it is not played against AWS.
    """

    play: Play
    clock: bool = False
    quotas: Quotas | None = None
    throttle: bool = False
    functions: Mapping[str, Callable[..., Any]] | None = None
    many: bool = False
    typed: bool = True
    moto: str | None = None
    aws: str | None = None

    @property
    def name(self) -> str:
        """Its function's name, which is a sentence."""
        return getattr(self.play, "__name__", "")

    @property
    def plain(self) -> bool:
        """Whether any SWF will do, with the clock and the quotas of everybody."""
        special = (self.clock, self.quotas, self.throttle, self.functions)
        return not any(special)


#: All scenarios whose modules are imported, by name.
SCENARIOS: dict[str, Scenario] = {}


def scenario(**needs: Any) -> Callable[[Play], Play]:
    """Add a function to the scenarios; *needs* are members of :class:`Scenario`."""

    def add(play: Play) -> Play:
        added = Scenario(play, **needs)
        assert added.name not in SCENARIOS, added.name
        SCENARIOS[added.name] = added
        return play

    return add

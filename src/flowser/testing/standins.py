"""Stand-ins: what activities and children do in a test instead, and their calls.

Source:
    issue 4 section 4 (activity stand-ins).
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Self

from flowser.exceptions import Error, InvalidArgument
from flowser.replay.failures import OperationFailed
from flowser.testing.signatures import Signature

How = Literal["returns", "raises", "runs", "times out"]


class StandInUsedUp(Error, AssertionError):
    """A stand-in was called more often than its effects were to happen."""


class UnusedStandIn(Error, AssertionError):
    """A stand-in was named for what no workflow called: the name may be wrong."""


class Call(NamedTuple):
    """A call of an activity, or of a child that a stand-in took.

    Attributes:
        name: Of the activity, or of the child's type.
        args: As they were received: what can be given by position.
        kwargs: What can be given by name only.
        attempt: 1, or more when an activity is tried again.
        id: The activity id; of a child its workflow id.
        workflow_id: Of the run that called the activity; of a child its own.
    """

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    attempt: int
    id: str
    workflow_id: str


class Effect(NamedTuple):
    """What a call comes to.

    Attributes:
        how: Of what kind it is.
        what: The value, the exception or the function.
        times: How often; None until the next one, or for ever if it is the last.
    """

    how: How
    what: Any = None
    times: int | None = None


class StandIn:
    """Stands in for an activity, or for a child workflow.

    ::

        charging = swf.replace(charge).raises(CardDeclined("no funds")).returns("r-1")
        swf.replace(ship).runs(lambda order_id: f"{order_id} is on its way")
        swf.replace("notify").times_out()

        assert charging.calls[0].args == ("o-1", Decimal(3))

    Effects happen in turn, each as many *times* as it says: once, and the last one for
    ever, when it does not. Without any, it returns None. Results and arguments go over
    the wire as ever; a result or a function that does not fit the type is refused.

    Attributes:
        name: What it stands in for.
        calls: The calls so far.
    """

    def __init__(self, name: str, signature: Signature | None = None) -> None:
        """Use :meth:`LocalSwf.replace`."""
        self.name = name
        self.calls: list[Call] = []
        self._signature = signature
        self._effects: list[Effect] = []
        self._taken = 0  # of the first effect

    def __repr__(self) -> str:
        return f"<stand-in for {self.name!r}: {self.count} calls>"

    @property
    def count(self) -> int:
        """How often it was called."""
        return len(self.calls)

    # -- what it does --

    def returns(self, value: Any, *, times: int | None = None) -> Self:
        """Give a result.

        Args:
            value: What the activity would return.
            times: How often; see the class.

        Raises:
            InvalidArgument: When it is no result of the type.
        """
        if self._signature is not None:
            self._signature.check_result(value)
        return self._then("returns", value, times)

    def raises(
        self, error: Exception | type[Exception], *, times: int | None = None
    ) -> Self:
        """Fail, as if the activity raised an exception.

        Args:
            error: What the activity would raise; the workflow sees it as the cause of
                its ActivityFailed.
            times: How often; see the class.

        Raises:
            InvalidArgument: When it is no exception of an activity.
        """
        kind = error if isinstance(error, type) else type(error)
        if not issubclass(kind, Exception):
            remedy = "give an Exception, or a class of them"
            raise InvalidArgument("error", f"is {error!r}", remedy)
        if issubclass(kind, OperationFailed):
            problem = f"is the {kind.__name__} that a workflow sees"
            remedy = "give what the activity raises, or say times_out()"
            raise InvalidArgument("error", problem, remedy)
        if isinstance(error, type):
            _check_made(error)
        return self._then("raises", error, times)

    def runs(self, function: Callable[..., Any], *, times: int | None = None) -> Self:
        """Call a function, and give what it returns or raises.

        Args:
            function: An async or plain function with the parameters of the type, or
                ``**kwargs``. For a child it is workflow code: its sleeps are timers.
            times: How often; see the class.

        Raises:
            InvalidArgument: When it cannot be called as the type is.
        """
        if self._signature is not None:
            self._signature.check_function(function)
        return self._then("runs", function, times)

    def times_out(self, *, times: int | None = None) -> Self:
        """Never answer, as if its worker had been killed: the shortest clock runs out.

        An activity is not heartbeated any more; a child waits for ever.

        Args:
            times: How often; see the class.
        """
        return self._then("times out", None, times)

    def _then(self, how: How, what: Any, times: int | None) -> Self:
        if times is not None and (type(times) is not int or times < 1):
            raise InvalidArgument("times", f"is {times!r}", "give 1 or more")
        self._effects.append(Effect(how, what, times))
        return self

    # -- used by the stage --

    def take(self, call: Call, signature: Signature) -> Effect:
        """Take a call, and say what it comes to.

        Args:
            call: It.
            signature: Of what was called: a name alone does not tell.

        Raises:
            StandInUsedUp: When all of them have happened.
            InvalidArgument: When the effect does not fit.
        """
        self.calls.append(call)
        effect = self._next()
        if effect.how == "returns":
            signature.check_result(effect.what)
        elif effect.how == "runs":
            signature.check_function(effect.what)
        return effect

    def _next(self) -> Effect:
        effects = self._effects or [Effect("returns")]
        effect, last = effects[0], len(effects) == 1
        if last and effect.times is None:
            return effect
        if self._taken == (effect.times or 1):
            if last:
                times = f"{self.name} is called for the {self.count}. time"
                words = f"the stand-in for {times}: it has no effect left"
                raise StandInUsedUp(f"{words}; add one, or leave out times=")
            del effects[0]
            self._taken = 0
            return self._next()
        self._taken += 1
        return effect


def _check_made(kind: type[Exception]) -> None:
    """Refuse an exception that cannot be raised by its class alone."""
    try:
        kind()
    except Exception as error:  # its __init__ may raise anything
        problem = f"is {kind.__name__}, which cannot be made without arguments"
        raise InvalidArgument("error", problem, "give one that is made") from error

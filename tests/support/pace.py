"""A clock that goes on only while somebody sleeps by it."""


class Pace:
    """Gives time to code that takes its ``sleep`` and ``clock`` as arguments.

    Attributes:
        now: Seconds since it was made.
        pauses: What was slept, in order.
    """

    def __init__(self) -> None:
        """Begin at zero."""
        self.now = 0.0
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        """Let *seconds* pass, at once."""
        self.pauses.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        """Tell the time."""
        return self.now

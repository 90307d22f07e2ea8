"""Pauses that grow, with jitter."""

import random


class Backoff:
    """Pauses between attempts: the ceiling doubles; each is in its upper half.

    Jitter keeps a thousand pollers from coming back at once; the lower bound keeps one
    poller from spinning.
    """

    def __init__(self, first: float = 0.2, most: float = 60.0) -> None:
        """Begin with short pauses.

        Args:
            first: Ceiling of the first pause, in seconds; the pause is at least half.
            most: Ceiling of all pauses, in seconds.
        """
        self._first = first
        self._most = most
        self.failures = 0

    def pause(self) -> float:
        """Count one more failure, and say how many seconds to wait."""
        ceiling = min(self._most, self._first * 2.0 ** min(self.failures, 32))
        self.failures += 1
        return random.uniform(ceiling / 2, ceiling)

    def reset(self) -> None:
        """Begin again with short pauses, after a success."""
        self.failures = 0

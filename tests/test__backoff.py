"""Pauses grow, stay within bounds, and differ."""

from hypothesis import given, settings
from hypothesis import strategies as st

from flowser._backoff import Backoff


@settings(deadline=None)  # the machine may be busy
@given(st.floats(0.01, 10), st.floats(10, 100), st.integers(1, 200))
def test_each_pause_is_in_the_upper_half_of_a_doubling_ceiling(
    first: float, most: float, failures: int
) -> None:
    backoff = Backoff(first, most)
    for failure in range(failures):
        ceiling = min(most, first * 2.0**failure)
        assert ceiling / 2 <= backoff.pause() <= ceiling
    assert backoff.failures == failures


def test_a_thousand_pollers_do_not_come_back_at_once() -> None:
    pauses = {Backoff(first=10).pause() for _ in range(1000)}
    assert len(pauses) > 990
    assert max(pauses) - min(pauses) > 4


def test_after_a_success_pauses_are_short_again() -> None:
    backoff = Backoff(first=0.2, most=60)
    for _ in range(20):
        backoff.pause()
    backoff.reset()
    assert backoff.failures == 0
    assert backoff.pause() <= 0.2

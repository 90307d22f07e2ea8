"""Token buckets, as SWF publishes them."""

from flowser.local.engine.buckets import Bucket, Rate, Throttle


def test_a_bucket_gives_its_size_at_once_and_then_its_refill() -> None:
    bucket = Bucket(Rate(10, 2))
    assert [bucket.take(1_000) for _ in range(11)] == [True] * 10 + [False]
    assert [bucket.take(2_000) for _ in range(3)] == [True, True, False]


def test_a_bucket_is_never_fuller_than_its_size() -> None:
    bucket = Bucket(Rate(2, 2))
    bucket.take(0)
    assert [bucket.take(10**9) for _ in range(3)] == [True, True, False]


def test_without_throttling_nothing_is_refused() -> None:
    throttle = Throttle(on=False)
    assert all(throttle.call("ListDomains", "r", 0) for _ in range(1_000))


def test_runs_have_buckets_of_their_own() -> None:
    throttle = Throttle(on=True)
    name = "RequestCancelWorkflowExecution"
    assert sum(throttle.run(name, 1, 0) for _ in range(300)) == 200
    assert throttle.run(name, 2, 0)

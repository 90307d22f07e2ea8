"""Runs that stay in memory, and decision tasks that find them."""

import asyncio
import threading
from typing import Any

import pytest

from flowser import flow
from flowser._worker.live import Live
from flowser._worker.sticky import Bounds, Cache, own_list
from flowser.exceptions import InvalidArgument
from flowser.worker import Worker
from tests import declared
from tests.flows import (
    attributes_of,
    domain_of,
    double,
    events_of,
    flowing,
    started,
    thrice,
    workflow,
)
from tests.support.proxy import FaultingProxy

HISTORY = "GetWorkflowExecutionHistory"


def lists_of(completed: list[Any]) -> list[str | None]:
    """Say where decisions sent the next ones."""
    return [each.task_list and each.task_list.name for each in completed]


@workflow
async def counting() -> int:
    """Count signals until there are three."""
    ticks = flow.signals("tick")
    for _ in range(3):
        await ticks.receive()
    return 3


# -- hits --


async def test_kept_run_costs_one_poll_and_one_response_per_decision() -> None:
    async with (
        flowing(thrice, poll_seconds=60) as (local, domain),
        Worker(domain, activities=1) as worker,
    ):
        await started(domain, thrice, 1)
        await local.happened("WorkflowExecutionCompleted")
        await local.called("PollForDecisionTask", 6)  # two of which wait
        calls = dict(local.calls)
        worker.stop()
        local._service.release()
    assert worker.counts["runs replayed"] == 1
    assert worker.counts["runs resumed"] == 3
    assert calls["RespondDecisionTaskCompleted"] == 4
    assert calls["PollForDecisionTask"] == 4 + 2
    assert HISTORY not in calls


async def test_every_response_renews_the_override_and_the_closing_one_needs_none() -> (
    None
):
    async with flowing(thrice) as (_, domain), Worker(domain, sticky_timeout=7):
        run = await started(domain, thrice, 1)
        await run.result()
        completed = await attributes_of(run, "DecisionTaskCompleted")
    *lists, last = lists_of(completed)
    [own] = {*lists}
    assert own is not None
    assert own.startswith("flowser-")
    assert last is None
    timeouts = [each.task_list_schedule_to_start_timeout for each in completed]
    assert timeouts == ["7", "7", "7", None]


async def test_without_sticky_nothing_is_kept_and_nothing_is_overridden() -> None:
    async with flowing(thrice) as (_, domain):
        async with Worker(domain, sticky=False, decisions=1) as worker:
            run = await started(domain, thrice, 1)
            assert await run.result() == 8
        completed = await attributes_of(run, "DecisionTaskCompleted")
    assert lists_of(completed) == [None] * 4
    assert worker.counts["runs replayed"] == 4
    assert worker.counts["runs resumed"] == 0


async def test_hot_and_cold_paths_leave_the_same_history() -> None:
    stories = []
    async with flowing(thrice) as (_, domain):
        for n, sticky in enumerate((True, False)):
            async with Worker(domain, sticky=sticky, activities=1):
                run = await started(domain, thrice, n, id=f"w-{n}")
                await run.result()
            stories.append(await events_of(run))
    assert stories[0] == stories[1]


# -- misses --


@pytest.mark.parametrize(
    ("bounds", "resumed"),
    [
        ({"cached_runs": 1}, 1),  # the last one, for the other had closed
        ({"cached_bytes": 1}, 0),
        ({"cached_seconds": 0.0}, 0),
    ],
)
async def test_run_that_was_let_go_is_replayed_from_its_beginning(
    bounds: Any, resumed: int
) -> None:
    async with (
        flowing(counting) as (local, domain),
        Worker(domain, **bounds) as worker,
    ):
        runs = []
        for n in range(2):
            runs.append(await started(domain, counting, id=f"w-{n}"))
            await local.happened("DecisionTaskCompleted", n + 1)
        for tick in range(3):
            for n, run in enumerate(runs):
                await run.signal("tick")
                wanted = 2 + tick * 2 + n + 1
                await local.happened("DecisionTaskCompleted", wanted)
        assert [await run.result() for run in runs] == [3, 3]
    assert worker.counts["runs resumed"] == resumed
    assert worker.counts["runs replayed"] == 8 - resumed
    assert local.calls[HISTORY] >= 5


async def test_another_worker_goes_on_when_one_is_gone() -> None:
    async with flowing(counting, second=0.2) as (local, domain):
        async with Worker(domain) as first:
            run = await started(domain, counting)
            await local.happened("DecisionTaskCompleted")
        assert first.counts["decisions completed"] == 1
        async with Worker(domain, sticky_timeout=1) as second:
            for n in range(3):
                await run.signal("tick")
                await local.happened("DecisionTaskCompleted", n + 2)
            assert await run.result() == 3
        events = await events_of(run)
    assert events.count("DecisionTaskTimedOut") == 1  # once, and not again
    assert second.counts["runs replayed"] == 1
    assert second.counts["runs resumed"] == 2


async def test_decision_that_timed_out_is_made_again_from_the_beginning() -> None:
    blocks = threading.Event()
    hung: list[int] = []

    @workflow
    async def hanging() -> int:
        found = await double(1)
        if not hung:
            hung.append(1)
            blocks.wait()
        return found

    async with (
        flowing(hanging, second=0.1) as (local, domain),
        Worker(domain, watchdog=0.3) as worker,
    ):
        run = await started(domain, hanging, task_start_to_close_timeout="8")
        await local.until(lambda: worker.counts["decisions left"] == 1, "left")
        blocks.set()
        assert await run.result() == 2
        assert "DecisionTaskTimedOut" in await events_of(run)
    assert worker.counts["runs replayed"] == 2


async def test_lost_response_is_repeated_and_decided_once() -> None:
    async with flowing(thrice) as (local, domain), FaultingProxy(local.url) as proxy:
        proxy.fault("RespondDecisionTaskCompleted", "lost", times=1)
        async with declared.hurried(proxy.url) as conn:
            other = domain_of([thrice])(conn)
            async with Worker(other) as worker:
                run = await started(domain, thrice, 1)
                assert await run.result() == 8
                events = await events_of(run)
    assert events.count("ActivityTaskScheduled") == 3
    assert events.count("DecisionTaskCompleted") == 4
    assert worker.counts["decisions completed"] == 4


@pytest.mark.parametrize("kind", ["throttle", "status"])
async def test_response_that_comes_too_late_makes_the_next_decision_a_full_replay(
    kind: Any,
) -> None:
    async with (
        flowing(thrice, second=0.1) as (local, domain),
        FaultingProxy(local.url) as proxy,
    ):
        proxy.fault("RespondDecisionTaskCompleted", kind, times=None, after=1)
        async with declared.hurried(proxy.url) as conn:
            async with Worker(domain_of([thrice])(conn)) as worker:
                options: Any = {"task_start_to_close_timeout": "5"}
                run = await started(domain, thrice, 1, **options)
                await local.happened("DecisionTaskTimedOut")
                proxy.heal()
                assert await run.result() == 8
            events = await events_of(run)
    assert events.count("ActivityTaskScheduled") == 3
    assert worker.counts["runs replayed"] >= 2  # first, and when it had been too late


async def test_kept_run_that_missed_a_decision_is_thrown_away() -> None:
    async with (
        flowing(counting) as (local, domain),
        Worker(domain, sticky_timeout=600) as worker,
    ):
        run = await started(domain, counting)
        await local.happened("DecisionTaskCompleted")
        [live] = _kept(worker)
        cutter: Any = live.run._cutter
        cutter.turn.started = 99  # as if it had made another decision
        for n in range(3):
            await run.signal("tick")
            await local.happened("DecisionTaskCompleted", n + 2)
        assert await run.result() == 3
    assert worker.counts["runs replayed"] == 2
    assert worker.counts["runs resumed"] == 2


async def test_kept_run_that_does_not_fit_is_replayed_in_the_same_decision(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    async with flowing(counting) as (local, domain):
        async with Worker(domain) as worker:
            run = await started(domain, counting)
            await local.happened("DecisionTaskCompleted")
            [live] = _kept(worker)
            live.run._cutter.last -= 1  # as if events had been missed
            for n in range(3):
                await run.signal("tick")
                await local.happened("DecisionTaskCompleted", n + 2)
            assert await run.result() == 3
        assert "DecisionTaskTimedOut" not in await events_of(run)
    assert worker.counts["decisions left"] == 0


def _kept(worker: Worker) -> list[Live]:
    """Look at what a worker keeps."""
    replays: Any = worker._lists[0].receive.__self__._replays  # type: ignore[attr-defined]
    assert replays._cache is not None
    return list(replays._cache._kept.values())


# -- the end --


async def test_draining_worker_gives_runs_back_to_their_list_for_good() -> None:
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        await goes_on.wait()

    @workflow
    async def waiting() -> int:
        await double(1)
        await flow.step(wait)
        return await double(2)

    async with flowing(waiting) as (_, domain):
        async with Worker(domain) as worker:
            run = await started(domain, waiting)
            await begun.wait()
            worker.stop()
            goes_on.set()
        async with Worker(domain):
            assert await run.result() == 4
        completed = await attributes_of(run, "DecisionTaskCompleted")
        assert "DecisionTaskTimedOut" not in await events_of(run)
    assert lists_of(completed)[1] == "deciders"
    assert completed[1].task_list_schedule_to_start_timeout is None


@pytest.mark.unchecked("it counts the coroutines that are closed")
async def test_end_closes_the_coroutines_of_kept_runs() -> None:
    closed: list[str] = []

    @workflow
    async def parked() -> None:
        try:
            await flow.signals("never").receive()
        finally:
            closed.append("closed")

    async with (
        flowing(parked) as (local, domain),
        Worker(domain),
    ):
        await started(domain, parked)
        await local.happened("DecisionTaskCompleted")
    assert closed == ["closed"]


# -- elsewhere --


async def test_everything_works_where_overrides_are_ignored(
    moto_url: str, domain_name: str
) -> None:
    async with declared.hurried(moto_url) as conn:

        class Elsewhere(domain_of([thrice])):  # type: ignore[misc]
            name = domain_name

        domain = Elsewhere(conn)
        await domain.register()
        async with Worker(domain, drain=0.5) as worker:
            run = await started(domain, thrice, 1)
            async with asyncio.timeout(40):
                assert await run.result() == 8
    assert worker.counts["decisions completed"] == 4


# -- parts --


async def test_own_list_needs_a_slot_like_any_other() -> None:
    async with flowing(thrice) as (_, domain):
        with pytest.raises(InvalidArgument, match="there are 2 task lists"):
            Worker(domain, decisions=1).check()


@pytest.mark.parametrize(
    "settings",
    [{"sticky": 1}, {"sticky_timeout": 0}, {"cached_runs": 0}, {"watchdog": 0.0}],
)
async def test_settings_that_make_no_sense_are_refused(settings: Any) -> None:
    async with flowing(thrice) as (_, domain):
        with pytest.raises(InvalidArgument, match=next(iter(settings))):
            Worker(domain, **settings)


def test_name_of_an_own_list_is_one_that_swf_takes_and_nobody_else_has() -> None:
    one, other = own_list(), own_list()
    assert one != other
    assert len(one) <= 256
    assert not set(one) & set(":/|")


class FakeLive:
    """A run as a cache sees it."""

    def __init__(self, size: int = 1, used_at: float = 0.0) -> None:
        self.bytes, self.used_at, self.ended = size, used_at, False

    def end(self) -> None:
        self.ended = True


def cached(*lives: FakeLive, **bounds: Any) -> Cache[FakeLive]:
    cache = Cache[FakeLive](
        Bounds(**{"runs": 10, "bytes": 100, "seconds": 1e9} | bounds)
    )
    for n, live in enumerate(lives):
        cache.put((f"w-{n}", "r"), live)
    return cache


async def test_cache_lets_go_of_what_was_used_least_recently() -> None:
    lives = [FakeLive() for _ in range(3)]
    cache = cached(*lives, runs=2)
    assert [live.ended for live in lives] == [True, False, False]
    kept = cache.take(("w-1", "r"))
    assert kept is lives[1]
    assert len(cache) == 1


async def test_cache_lets_go_of_many_small_ones_for_a_big_one() -> None:
    lives = [FakeLive(40), FakeLive(40), FakeLive(90)]
    cached(*lives)
    assert [live.ended for live in lives] == [True, True, False]


async def test_cache_lets_go_of_what_is_old() -> None:
    now = asyncio.get_running_loop().time()
    lives = [FakeLive(used_at=now - 9), FakeLive(used_at=now)]
    cached(*lives, seconds=5)
    assert [live.ended for live in lives] == [True, False]


async def test_cache_that_is_cleared_ends_all() -> None:
    lives = [FakeLive(), FakeLive()]
    cached(*lives).clear()
    assert all(live.ended for live in lives)

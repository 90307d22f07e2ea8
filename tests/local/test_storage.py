"""What a store keeps, and gives back; lists are in test_storage_lists.py."""

import contextlib
import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowser import decisions as d
from flowser import requests
from flowser.local.engine import evolve, facts
from flowser.local.engine.quotas import Quotas
from flowser.local.engine.state import State
from flowser.local.storage import Store
from tests.local.engine.rig import DOMAIN, REGION, Rig, schedule
from tests.local.shop import Shop, seen

# A fixture of a function is as good as new for each example: each makes a new file.
_EXAMPLES = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
_SEEDS = st.integers(0, 2**32)

# Opens a store; a second time, what the first one kept, if it can be kept.
Opener = Callable[[], Store]


@pytest.fixture(params=["memory", "file"])
def new(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Makes new stores of each kind."""
    with contextlib.ExitStack() as stack:
        count = iter(range(10_000))

        def made() -> Store:
            file = request.param == "file"
            store = Store(tmp_path / f"{next(count)}.db" if file else None)
            stack.callback(store.close)
            return store

        yield made


def folded(store: Store) -> State:
    state = State(Quotas())
    for fact in store.facts():
        evolve.fold(state, fact)
    return state


def again(store: Store) -> Store:
    """Open a file anew; what is in memory has to be there still."""
    if not store.durable:
        return store
    store.close()
    return Store(store._path)


def rows(store: Store, table: str) -> int:
    store.last_at  # noqa: B018 - so that nothing waits to be written
    # The table is named by a test.
    [(count,)] = store._db.execute(f"SELECT count(*) FROM {table}")  # noqa: S608
    return int(count)


# -- what comes back -----------------------------------------------------------------


@given(seed=_SEEDS, steps=st.integers(0, 120))
@_EXAMPLES
def test_fold_over_what_comes_back_is_the_state(
    new: Opener, seed: int, steps: int
) -> None:
    rig = Shop(seed).live(steps)
    store, left, chance = new(), list(rig.facts), random.Random(seed)
    while left:
        size = chance.randrange(1, 60)
        store.append(left[:size])
        if chance.random() < 0.7:
            store.commit()
        del left[:size]
    store.commit()
    key = store.key
    with contextlib.closing(again(store)) as found:
        assert seen(folded(found)) == seen(rig.engine.world.state)
        assert found.last_run == rig.engine.world.state.last_run
        assert found.last_at == rig.facts[-1].at  # type: ignore[attr-defined]
        assert found.next_expiry() == rig.archive.next_expiry()
        assert found.key == key


def on(store: Store) -> Rig:
    """Make a rig whose engine asks a store."""
    rig: Any = Rig()
    rig.archive = rig.engine.world.archive = store
    store.append(rig.facts)
    made: Rig = rig
    return made


def restart(rig: Any, store: Store) -> None:
    rig.archive = store
    rig.engine = rig._made()
    for fact in store.facts():
        rig.engine.fold(fact)
    rig.engine.resume(rig.now, store.last_run)
    rig.take()


@given(seed=_SEEDS)
@_EXAMPLES
def test_engine_on_a_store_does_what_it_does_on_lists_over_restarts(
    new: Opener, seed: int
) -> None:
    naive = Shop(seed)
    store = new()
    shop = Shop(seed, on(store))
    for _ in range(3):
        naive.live(30).restart()
        shop.live(30)
        store.commit()
        store = again(store)
        restart(shop.rig, store)
    store.close()
    assert shop.rig.facts == naive.rig.facts


def test_heartbeats_that_count_come_back(new: Opener) -> None:
    store = new()
    rig = on(store)
    run = rig.start()
    rig.decide(rig.poll(), schedule(heartbeat_timeout="9"))
    token = rig.poll_activity()["taskToken"]
    for details in ("begun", "half", None, None):
        rig.skip(5)
        beat = requests.RecordActivityTaskHeartbeat(task_token=token, details=details)
        rig.send(beat)
    store.commit()
    store = again(store)
    assert sum(isinstance(fact, facts.Heartbeat) for fact in store.facts()) == 2
    restart(rig, store)
    rig.skip(8.999)
    assert "ActivityTaskTimedOut" not in rig.types(run)
    rig.skip(0.001)
    [event] = [e for e in rig.history(run) if e["eventType"] == "ActivityTaskTimedOut"]
    told = event["activityTaskTimedOutEventAttributes"]
    assert (told["timeoutType"], told["details"]) == ("HEARTBEAT", "half")
    assert not [fact for fact in store.facts() if isinstance(fact, facts.Heartbeat)]
    store.close()


def test_closed_run_keeps_no_heartbeats(new: Opener) -> None:
    store = new()
    rig = on(store)
    rig.start()
    rig.decide(rig.poll(), schedule())
    token = rig.poll_activity()["taskToken"]
    rig.send(requests.RecordActivityTaskHeartbeat(task_token=token, details="half"))
    terminate = requests.TerminateWorkflowExecution(domain=DOMAIN, workflow_id="o-1")
    rig.send(terminate)
    assert rows(store, "beats") == 0
    assert not [fact for fact in store.facts() if isinstance(fact, facts.RunFact)]


def test_run_whose_retention_is_over_leaves_nothing(new: Opener) -> None:
    store = new()
    rig = on(store)
    ids = {"red", "blue"}
    run = rig.start(tag_list=tuple(ids))
    rig.decide(rig.poll(), d.CompleteWorkflowExecution())
    assert store.closed(1) == store.find(REGION, DOMAIN, "o-1", run["runId"])
    assert store.next_expiry() == rig.now + 86_400_000
    assert store.expired(rig.now + 86_400_000, 9) == [1]
    rig.skip(86_400)
    assert store.next_expiry() is None
    assert store.closed(1) is None
    assert store.find(REGION, DOMAIN, "o-1", run["runId"]) is None
    assert [rows(store, table) for table in ("runs", "tags", "events")] == [0, 0, 0]
    assert store.last_run == 1
    store.commit()
    with contextlib.closing(again(store)) as found:
        if found.durable:
            assert found.last_run == 1, "its number is never given again"


def test_what_was_appended_is_answered_from_at_once(new: Opener) -> None:
    store, rig = new(), Rig()
    run = rig.start()
    rig.decide(rig.poll(), d.CompleteWorkflowExecution(result="3"))
    for fact in rig.facts:
        store.append([fact])
    found = store.find(REGION, DOMAIN, "o-1", run["runId"])
    assert found is not None
    assert found == rig.archive.closed(1) == store.closed(1)
    assert store.events(1, 2, 4) == rig.archive.events(1, 2, 4)
    assert json.loads(store.events(1, 5, 5)[0])["eventId"] == 5


def test_ids_of_another_run_find_nothing(new: Opener) -> None:
    store = new()
    rig = on(store)
    run = rig.start()
    assert store.closed(1) is None, "it is open"
    rig.decide(rig.poll(), d.CompleteWorkflowExecution())
    right = (REGION, DOMAIN, "o-1", run["runId"])
    assert store.find(*right) is not None
    for place in range(4):
        wrong = [*right]
        wrong[place] += "x"
        assert store.find(*wrong) is None
    assert store.closed(2) is None


def test_next_expiry_asks_no_table_while_nothing_expires() -> None:
    store = Store()
    on(store).start()
    asked: list[str] = []
    store._db.set_trace_callback(asked.append)
    for _ in range(100):
        store.next_expiry()
    assert asked == []
    store.close()


def test_domains_and_types_never_grow_beyond_what_there_is(new: Opener) -> None:
    store = new()
    rig = on(store)
    for _ in range(200):
        rig.send(requests.DeprecateDomain(name=DOMAIN))
        rig.send(requests.UndeprecateDomain(name=DOMAIN))
    store.commit()
    store = again(store)
    assert seen(folded(store)) == seen(rig.engine.world.state)
    assert rows(store, "registry") == 5, "a domain, two types, both deprecated"
    store.commit()
    store = again(store)
    assert rows(store, "registry") == 5
    assert seen(folded(store)) == seen(rig.engine.world.state)
    store.close()


def test_memory_holds_the_events_that_it_was_given() -> None:
    store, rig = Store(), Rig()
    rig.start()
    store.append(rig.facts)
    [data] = [f.data for f in rig.facts if isinstance(f, facts.Happened) and f.id == 1]
    assert store.events(1, 1, 1)[0] is data
    assert rows(store, "events") == 0
    store.close()


def test_facts_in_memory_do_not_wait_for_ever() -> None:
    store, rig = Store(), Rig()
    rig.start()
    for _ in range(1_000):
        signal = requests.SignalWorkflowExecution(
            domain=DOMAIN, workflow_id="o-1", signal_name="s"
        )
        rig.send(signal)
    for fact in rig.facts:
        store.append([fact])
        assert len(store._waiting) < 256
    store.close()


def test_what_was_not_committed_is_gone(tmp_path: Path) -> None:
    store, rig = Store(tmp_path / "a.db"), Rig()
    store.append(rig.facts)
    store.commit()
    before = seen(rig.engine.world.state)
    rig.start()
    store.append(rig.facts[3:])
    assert store.last_run == 1
    with contextlib.closing(again(store)) as found:
        assert seen(folded(found)) == before
        assert found.last_run == 0


def test_closed_store_answers_nothing_and_closes_again(new: Opener) -> None:
    store = new()
    store.close()
    store.close()
    with pytest.raises(sqlite3.ProgrammingError):
        store.closed(1)


def test_key_is_random_and_kept(tmp_path: Path) -> None:
    stores = [Store(), Store(), Store(tmp_path / "a.db")]
    keys = [store.key for store in stores]
    for store in stores:
        store.close()
    with contextlib.closing(Store(tmp_path / "a.db")) as store:
        assert store.key == keys[2]
    assert len(set(keys)) == 3
    assert {len(key) for key in keys} == {32}

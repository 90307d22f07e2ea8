"""Lists and counts of a store, beside those of an archive that looks through all."""

import itertools
from collections import defaultdict
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowser.local import _sql
from flowser.local.engine import facts
from flowser.local.engine.archive import Place, Query
from flowser.local.storage import Store
from tests.local.engine.rig import DOMAIN, REGION, START, NaiveArchive, Rig
from tests.local.shop import DOMAINS, IDS, TAGS, TYPES, Shop

_FILTERS: list[dict[str, str]] = [
    {},
    *({"workflow_id": id} for id in [*IDS, "o-9"]),
    *({"type_name": name} for name in ("order", "gift", "none")),
    *({"type_name": name, "type_version": version} for name, version in TYPES),
    *({"tag": tag} for tag in [*TAGS, "Red"]),
    *({"close_status": s} for s in ("COMPLETED", "TERMINATED", "CONTINUED_AS_NEW")),
]
_OPEN = Query(REGION, DOMAIN, open=True, by_close=False, oldest=0, latest=None)
_TIMES = st.integers(START - 1, START + 200_000) | st.integers(-(2**50), 2**50)


@st.composite
def _queries(draw: st.DrawFn) -> Query:
    are_open = draw(st.booleans())
    narrowed = draw(st.sampled_from(_FILTERS))
    return Query(
        region=draw(st.sampled_from([REGION, REGION, REGION, "eu-west-1"])),
        domain=draw(st.sampled_from(DOMAINS)),
        open=are_open and "close_status" not in narrowed,
        by_close=not are_open and draw(st.booleans()),
        oldest=draw(st.just(0) | _TIMES),
        latest=draw(st.none() | _TIMES),
        **narrowed,
    )


def _paged(archive: Any, query: Query, limit: int, *, ascending: bool) -> list[Place]:
    found: list[Place] = []
    after = None
    while True:
        page = archive.places(query, after=after, limit=limit, ascending=ascending)
        assert len(page) <= limit
        found += page
        if len(page) < limit:
            return found
        after = page[-1]


def _by_domain(taken: list[facts.Fact]) -> dict[tuple[str, str], NaiveArchive]:
    """Give each domain an archive of its own, for a naive one knows of no domains."""
    archives: dict[tuple[str, str], NaiveArchive] = defaultdict(NaiveArchive)
    of_run: dict[int, NaiveArchive] = {}
    for fact in taken:
        if isinstance(fact, facts.RunOpened):
            of_run[fact.run] = archives[fact.region, fact.domain]
        if isinstance(fact, facts.RunFact):
            of_run[fact.run].append([fact])
    return archives


class _Asked(NamedTuple):
    """What is asked of both."""

    queries: list[Query]
    limit: int
    after: Place | None
    most: int


@given(
    seed=st.integers(0, 2**32),
    steps=st.integers(0, 150),
    asked=st.builds(
        _Asked,
        queries=st.lists(_queries(), min_size=10, max_size=10),
        limit=st.integers(1, 5),
        after=st.none() | st.builds(Place, _TIMES, st.integers(0, 40)),
        most=st.integers(0, 9),
    ),
)
@settings(max_examples=60, deadline=None)
def test_lists_are_those_of_an_archive_that_looks_through_all(
    seed: int, steps: int, asked: _Asked
) -> None:
    rig, store = Shop(seed).live(steps), Store()
    for fact in rig.facts:
        store.append([fact])
    archives = _by_domain(rig.facts)
    for query, ascending in itertools.product(asked.queries, (True, False)):
        naive = archives[query.region, query.domain]
        for limit in (asked.limit, 1_000):
            wanted: dict[str, Any] = {"limit": limit, "ascending": ascending}
            one = store.places(query, after=asked.after, **wanted)
            assert one == naive.places(query, after=asked.after, **wanted)
        paged = _paged(store, query, asked.limit, ascending=ascending)
        assert paged == naive.places(query, after=None, **wanted)
        assert store.count(query, asked.most) == naive.count(query, asked.most)
    for now in (0, rig.now, rig.now + 86_400_000):
        expired = store.expired(now, asked.limit)
        assert expired == rig.archive.expired(now, asked.limit)
    assert store.next_expiry() == rig.archive.next_expiry()
    store.close()


def test_many_runs_of_one_millisecond_come_page_by_page_and_each_once() -> None:
    rig, store = Rig(), Store()
    for number in range(50):
        rig.start(f"o-{number}", tag_list=("red",))
    store.append(rig.facts)
    filters: list[dict[str, Any]] = [{}, {"type_name": "order"}, {"tag": "red"}]
    for narrowed in filters:
        query = _OPEN._replace(oldest=START, latest=START, **narrowed)
        for limit in (1, 7, 50):
            places = _paged(store, query, limit, ascending=False)
            assert places == [Place(START, run) for run in range(50, 0, -1)]
    store.close()


def _plans() -> list[Query]:
    shapes: list[dict[str, Any]] = [
        {},
        {"workflow_id": "x"},
        {"type_name": "x"},
        {"type_name": "x", "type_version": "1"},
        {"tag": "x"},
        {"close_status": "COMPLETED"},
    ]
    return [
        _OPEN._replace(open=are_open, by_close=by_close, **narrowed)
        for are_open, by_close in ((True, False), (False, False), (False, True))
        for narrowed in shapes
        if not (are_open and "close_status" in narrowed)
    ]


@pytest.mark.parametrize("query", _plans())
@pytest.mark.parametrize("ascending", [True, False])
def test_page_begins_at_its_place_and_is_not_sorted(
    query: Query, ascending: bool
) -> None:
    store = Store()
    statement, wanted = _sql.select(query, Place(5, 5), ascending=ascending)
    [step] = _plan(store, statement, [*wanted, 10])
    at = "closed" if query.by_close else "opened"
    assert f"({at},number)>(?,?) AND ({at},number)<(?,?)" in step
    filters = [f"{name}=?" for name in query._fields[6:] if getattr(query, name)]
    assert all(each in step for each in ["region=?", "domain=?", *filters])
    store.close()


def test_start_looks_at_open_runs_only() -> None:
    store = Store()
    runs = _plan(store, _sql.READ_OPEN_RUNS, [])
    events = _plan(store, _sql.READ_OPEN_EVENTS, [])
    assert runs[0] == "SCAN runs USING INDEX runs_open"
    assert "SCAN runs USING INDEX runs_open" in events
    assert "SEARCH events USING INDEX events_run (run=?)" in events
    scans = [step for step in runs + events if step.startswith("SCAN")]
    assert {step.split()[1] for step in scans} == {"runs", "beats", "(subquery-2)"}
    store.close()


@pytest.mark.parametrize(
    ("statement", "step"),
    [
        (_sql.READ_CLOSED_RUN, "SEARCH runs USING PRIMARY KEY (number=?)"),
        (_sql.FIND_CLOSED_RUN, "SEARCH runs USING INDEX runs_run_id (run_id=?)"),
        (_sql.READ_EXPIRED, "SEARCH runs USING INDEX runs_expiry (expires_at<?)"),
        # All of it may be looked through, but the first is taken.
        (_sql.NEXT_EXPIRY, "SCAN runs USING INDEX runs_expiry"),
        (_sql.READ_EVENTS, "SEARCH events USING INDEX events_run (run=? AND id>?"),
    ],
)
def test_look_up_uses_its_index_and_sorts_nothing(statement: str, step: str) -> None:
    store = Store()
    [found] = _plan(store, statement, [1] * statement.count("?"))
    assert found.startswith(step)
    store.close()


def _plan(store: Store, statement: str, wanted: list[Any]) -> list[str]:
    rows = store._db.execute(f"EXPLAIN QUERY PLAN {statement}", wanted)
    return [row[3] for row in rows]

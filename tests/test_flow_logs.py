"""Log records of workflow code: once, and with the ids of the run."""

import asyncio
import logging
from collections.abc import Iterator

import pytest

from flowser import flow
from tests.replay.shop import workflow
from tests.replay.story import Story

log = logging.getLogger("app.orders")


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler = Kept()
    handler.addFilter(flow.ReplayFilter())
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield handler
    log.removeHandler(handler)


def test_records_of_a_replay_are_dropped_and_others_carry_the_ids(kept: Kept) -> None:
    @workflow
    async def order() -> None:
        log.info("begun")
        await asyncio.sleep(1)
        log.info("woken")

    story = Story(order, workflow_id="o-17")
    story.decide()
    # `Story` decides everything twice: by the kept run and by a new one.
    assert [record.message for record in told(kept)] == ["begun", "begun"]
    story.skip(1)
    story.decide()
    assert [record.message for record in told(kept)] == ["woken", "woken"]
    story.replayed().end()
    assert not told(kept)


def told(kept: Kept) -> list[logging.LogRecord]:
    records, kept.records = kept.records, []
    for record in records:
        record.message = record.getMessage()
    return records


def test_a_record_has_the_ids_and_the_type_of_the_run(kept: Kept) -> None:
    @workflow
    async def order() -> None:
        log.info("begun", extra={"type": "my own"})
        log.info("gone on")

    story = Story(order, workflow_id="o-17")
    story.decide()
    first, second, *_ = [vars(record) for record in kept.records]
    for record in (first, second):
        assert record["workflow_id"] == "o-17"
        assert record["run_id"] == story.ids["runId"]
    assert first["type"] == "my own"
    assert second["type"] == "order 1"


def test_records_from_elsewhere_pass_as_they_are(kept: Kept) -> None:
    log.info("outside")
    [record] = kept.records
    assert not hasattr(record, "workflow_id")


def test_records_are_of_the_run_also_while_a_history_is_looked_at(kept: Kept) -> None:
    @workflow
    async def order() -> None:
        await flow.signals("go").receive()
        log.info("gone")

    story = Story(order)
    story.decide()
    story.signal("go")
    run = story.replayed()
    assert [record.getMessage() for record in kept.records] == ["gone"]
    run.end()

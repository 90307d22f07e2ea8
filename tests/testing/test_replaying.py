"""Saved histories against code that is still the same, and code that is not."""

import asyncio
import json
import logging
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flowser import flow, serializing, types
from flowser._flow.workflows import Decorator
from flowser.events import Event
from flowser.exceptions import BrokenHistory, InvalidArgument
from flowser.testing import LocalSwf, load_history, replay, save_history
from tests.histories import began, marker
from tests.testing.orders import Manual, Receipt, Sale, charge, order, pack, ship, weigh

log = logging.getLogger("tests.testing")


async def recorded(path: Path, workflow: Any, *args: Any, seconds: float = 0) -> Path:
    """Record a run: to its end, or as it is after a time."""
    async with LocalSwf(autojump=not seconds) as swf:
        run = await swf.start(workflow, *args)
        if seconds:
            await swf.skip(seconds=seconds)
        else:
            await run.result()
        file = path / "history.json"
        await save_history(run, file)
    return file


def declared(name: str = "steps") -> Decorator:
    """Give the decorator of the workflow that all of these are versions of."""
    return flow.workflow(version="1.0", task_list="orders", name=name)


@declared()
async def steps() -> str:
    """Do two things after one another."""
    await charge("o-1")
    await asyncio.sleep(60)
    return await ship("o-1")


# -- the same code --


async def test_closed_run_is_replayed(tmp_path: Path) -> None:
    replay(steps, await recorded(tmp_path, steps))
    replay(order, await recorded(tmp_path, order, "o-1", Decimal(1)))
    replay(Sale, await recorded(tmp_path, Sale, Receipt("r-1", Decimal(1))))


@pytest.mark.parametrize("seconds", [1, 59, 90])
async def test_open_run_is_replayed(tmp_path: Path, seconds: float) -> None:
    file = await recorded(tmp_path, steps, seconds=seconds)
    assert "WorkflowExecutionCompleted" not in file.read_text() or seconds == 90
    replay(steps, file)


async def test_run_that_nobody_decided_yet_is_replayed(tmp_path: Path) -> None:
    file = await recorded(tmp_path, steps)
    replay(steps, load_history(file)[:2])


async def test_run_is_replayed_as_it_was_at_any_time(tmp_path: Path) -> None:
    """What comes of a decision is in the history all at once."""
    history = load_history(await recorded(tmp_path, steps))
    of_one = "decision_task_completed_event_id"
    ends = [
        n for n, event in enumerate(history) if not hasattr(event.attributes, of_one)
    ]
    assert len(ends) > 10
    for length in (*ends[1:], len(history)):
        replay(steps, history[:length])


async def test_history_is_taken_in_every_form(tmp_path: Path) -> None:
    file = await recorded(tmp_path, steps)
    content = json.loads(file.read_bytes())
    events: list[Any] = content["events"]
    replay(steps, str(file))
    replay(steps, load_history(file))
    replay(steps, (event for event in load_history(file)))
    replay(steps, content)
    replay(steps, events)
    replay(steps, events[::-1])
    for size in (1, 2, 7):
        cuts = range(0, len(events), size)
        pages: list[dict[str, Any]]
        pages = [{"events": events[cut : cut + size]} for cut in cuts]
        for page in pages[:-1]:
            page["nextPageToken"] = "more"
        replay(steps, pages)


async def test_history_of_a_plain_client_is_taken() -> None:
    async with LocalSwf() as swf, swf.client() as client:
        run = await swf.start(steps)
        await run.result()
        ids = {"workflowId": run.workflow_id, "runId": run.run_id}
        answer = await client.get_workflow_execution_history(
            domain="flowser-testing", execution=ids
        )
    replay(steps, answer)
    replay(steps, answer["events"])


async def test_replay_works_inside_of_an_event_loop_and_outside(tmp_path: Path) -> None:
    file = await recorded(tmp_path, steps)
    await asyncio.to_thread(replay, steps, file)


async def test_nothing_is_done_and_nothing_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done = []

    def note() -> int:
        done.append(1)
        return 7

    @declared("noting")
    async def noting() -> int:
        log.warning("it runs")
        return await flow.step(note)

    file = await recorded(tmp_path, noting)
    before = len(done)
    caplog.clear()
    replay(noting, file)
    assert len(done) == before
    assert not caplog.records


async def test_children_and_activities_need_not_be_declared(tmp_path: Path) -> None:
    """Only names are compared."""
    file = await recorded(tmp_path, order, "o-1", Decimal(1))

    @flow.activity(version="9", task_list="elsewhere", name="charge")
    async def charged(order_id: str, *, amount: Decimal) -> Receipt:
        return Receipt(order_id, amount)

    @declared("order")
    async def again(order_id: str, amount: Decimal) -> str:
        try:
            async with asyncio.timeout(86_400):
                await flow.signals("approve", str).receive()
        except TimeoutError:
            return "expired"
        return str(await charged(order_id, amount=amount))

    replay(again, file)


async def test_serializer_of_the_domain_reads_payloads(tmp_path: Path) -> None:
    class Shouting(serializing.JSONSerializer):
        def loads(self, text: str, type: Any = Any) -> Any:
            return super().loads(text.lower(), type)

    class Telling(types.Workflow):
        name, version, task_list = "Telling", "1.0", "orders"

        async def run(self, input: str) -> str:
            await (ship if input == "loud" else charge)("o-1")
            return input

    file = await recorded(tmp_path, Telling, "LOUD")
    replay(Telling, file)
    with pytest.raises(flow.NonDeterminism):
        replay(Telling, file, serializer=Shouting())


# -- other code --


async def test_code_that_does_something_else_is_reported(tmp_path: Path) -> None:
    @declared("steps")
    async def swapped() -> str:
        await ship("o-1")
        await asyncio.sleep(60)
        return str(await charge("o-1"))

    file = await recorded(tmp_path, steps)
    with pytest.raises(flow.NonDeterminism) as caught:
        replay(swapped, file)
    report = str(caught.value)
    assert report.startswith("steps-1 (run ")
    assert "- 1  activity charge  history, event 5" in report
    assert "+ 1  activity ship    code, testing/test_replaying.py:" in report
    assert "flow.patched" in report
    assert not getattr(caught.value, "__notes__", None)


async def test_code_that_does_less_or_more_is_reported(tmp_path: Path) -> None:
    @declared("steps")
    async def shorter() -> str:
        await charge("o-1")
        return "charged"

    @declared("steps")
    async def longer() -> str:
        await charge("o-1")
        await weigh(Receipt("r-1", Decimal(1)))
        await asyncio.sleep(60)
        return await ship("o-1")

    file = await recorded(tmp_path, steps)
    with pytest.raises(flow.NonDeterminism, match="close CompleteWorkflowExecution"):
        replay(shorter, file)
    with pytest.raises(flow.NonDeterminism, match="activity Weigh"):
        replay(longer, file)


async def test_code_that_exits_does_not_end_the_process(tmp_path: Path) -> None:
    @declared("steps")
    async def leaving() -> str:
        raise SystemExit(3)

    file = await recorded(tmp_path, steps)
    with pytest.raises(flow.Trouble, match=r"workflow code raises SystemExit\(3\)"):
        replay(leaving, file)


async def test_change_after_the_end_of_an_open_history_is_none(tmp_path: Path) -> None:
    @declared("steps")
    async def changed() -> str:
        await charge("o-1")
        await asyncio.sleep(60)
        return str(await pack("o-1", 1))

    replay(changed, await recorded(tmp_path, steps, seconds=59))
    with pytest.raises(flow.NonDeterminism):
        replay(changed, await recorded(tmp_path, steps))


async def test_change_that_is_patched_is_none(tmp_path: Path) -> None:
    @declared("steps")
    async def patched() -> str:
        if flow.patched("weigh-first"):
            await weigh(Receipt("r-1", Decimal(1)))
        await charge("o-1")
        await asyncio.sleep(60)
        return await ship("o-1")

    replay(patched, await recorded(tmp_path, steps))
    replay(patched, await recorded(tmp_path, patched))


async def test_payload_that_cannot_be_read_any_more_is_told(tmp_path: Path) -> None:
    @declared("pack")
    async def packed(order_id: int, parts: int) -> None: ...

    with pytest.raises(flow.Undecodable, match="event 1 cannot be read"):
        replay(packed, await recorded(tmp_path, pack, "o-1", 1))


async def test_chance_is_the_same_again_if_the_ids_were_saved(tmp_path: Path) -> None:
    @declared("rolling")
    async def rolling() -> None:
        for _ in range(10):
            await (charge if flow.random().random() < 0.5 else ship)("o-1")

    file = await recorded(tmp_path, rolling)
    replay(rolling, file)
    content = json.loads(file.read_bytes())
    del content["execution"]
    file.write_text(json.dumps(content))
    with pytest.raises(flow.NonDeterminism) as caught:
        replay(rolling, file)
    assert str(caught.value).startswith(f"{file} (run unknown, type rolling 1.0)")
    (note,) = caught.value.__notes__
    assert note.startswith("The history does not say whose it is, so flow.random()")


# -- what cannot be replayed --


@pytest.mark.parametrize(
    ("workflow", "problem"),
    [
        (Manual, r"Manual is decided by decide\(\): only workflows with async def run"),
        (charge, "is no workflow: decorate it by flow.workflow"),
        (recorded, "recorded is no workflow: decorate it by flow.workflow"),
        (types.Workflow, "Workflow has no run"),
        ("order", "is no workflow"),
    ],
)
def test_what_is_no_coroutine_workflow_is_refused(workflow: Any, problem: str) -> None:
    with pytest.raises(InvalidArgument, match=problem):
        replay(workflow, [began()])


@pytest.mark.parametrize(
    ("history", "problem"),
    [
        ("nowhere.json", "nowhere.json is not there"),
        ([], "history has no events"),
        ({"events": []}, "history has no events"),
        ([{"events": []}], "history has no events"),
        (7, "history has no events"),
        ([7], "is no JSON object"),
        ([marker(1)], "history begins with MarkerRecorded"),
        ([began(), marker(3)], "has event 3 where 2 belongs"),
        ({"events": [began()], "nextPageToken": "x"}, "ends with a nextPageToken"),
        ({"events": [began()], "execution": "o-1"}, "has an execution that is none"),
        ([began()], "is the history of a run of Album 1.0: give one of steps 1.0"),
    ],
)
def test_what_is_no_history_of_it_is_refused(history: Any, problem: str) -> None:
    with pytest.raises(InvalidArgument, match=problem):
        replay(steps, history)


def test_lazy_history_is_told_to_be_read_first() -> None:
    async def events() -> Any:
        yield began()

    with pytest.raises(InvalidArgument, match=r"give \[event async for event in it\]"):
        replay(steps, events())


async def test_events_that_do_not_fit_together_are_told(tmp_path: Path) -> None:
    history: list[Event] = load_history(await recorded(tmp_path, steps))
    stray = [e for e in history if e.type != "DecisionTaskStarted"]
    told = [
        msgspec.structs.replace(event, id=number)
        for number, event in enumerate(stray, 1)
    ]
    with pytest.raises(BrokenHistory):
        replay(steps, told)

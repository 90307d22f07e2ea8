"""Coroutine workflows as their authors see them."""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

import flowser
from flowser import decisions as d
from flowser import events as e
from flowser import flow
from flowser.exceptions import InvalidArgument, SerializationError
from tests.replay.story import Story

workflow = flow.workflow(version="1", task_list="deciders")


@dataclass
class Receipt:
    number: int
    amount: Decimal


@flow.activity(version="1.0", task_list="payers", description="Takes money.")
async def charge(order_id: str, amount: Decimal = Decimal(1)) -> Receipt:
    """Take money."""
    return Receipt(len(order_id), amount)


@flow.activity(version="2", task_list="payers", name="resize-image")
def resize(image: str, /, *, width: int) -> str:
    return f"{image}@{width}"


# -- what a decorator makes --


def test_a_decorated_function_makes_a_class_that_could_have_been_written() -> None:
    kind = charge.type
    assert issubclass(kind, flowser.types.Activity)
    assert (kind.name, kind.version, kind.task_list) == ("charge", "1.0", "payers")
    assert kind.description == "Takes money."
    assert kind.__doc__ == "Take money."
    assert kind.__module__ == __name__
    assert resize.type.name == "resize-image"


async def test_a_call_outside_of_a_workflow_runs_the_function() -> None:
    assert await charge("abc", amount=Decimal(2)) == Receipt(3, Decimal(2))
    assert await resize("a.png", width=3) == "a.png@3"


async def test_a_workflow_outside_of_a_workflow_runs_the_function() -> None:
    @workflow
    async def order(order_id: str) -> Receipt:
        return await charge(order_id)

    assert await order("abc") == Receipt(3, Decimal(1))


def test_start_outside_of_a_workflow_is_refused() -> None:
    with pytest.raises(flow.NotInWorkflow, match="in workflow code only"):
        charge.start("abc")


async def test_the_class_runs_the_function_with_the_input_as_an_object() -> None:
    kind: Any = charge.type(Nowhere())
    input = kind.load_input('{"order_id":"ab","amount":"3","@flowser":{"fv":1}}')
    assert await kind.run(input) == Receipt(2, Decimal(3))
    assert kind.dumps(Receipt(2, Decimal(3))) == '{"number":2,"amount":"3"}'
    other: Any = resize.type(Nowhere())
    input = other.load_input('{"image":"a","width":2}')
    assert other.run(input) == "a@2"


class Nowhere:
    name = "nowhere"
    serializer = flowser.serializing.JSON

    def type_of(self, named: Any, /) -> None: ...

    async def call(self, request: Any, /) -> Any: ...


def test_arguments_become_the_object_of_the_parameters() -> None:
    @workflow
    async def order() -> None:
        charge.start("a")
        charge.start("b", Decimal(2))
        charge.start(amount=Decimal(3), order_id="c")
        resize.start("d", width=4)
        await asyncio.sleep(1)

    made: list[Any] = Story(order, using=[charge, resize]).decisions()
    assert [decision.input for decision in made[:4]] == [
        '{"order_id":"a"}',
        '{"order_id":"b","amount":"2"}',
        '{"amount":"3","order_id":"c"}',
        '{"image":"d","width":4}',
    ]


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), (("a", 1, 2), {}), (("a",), {"order_id": "b"}), (("a",), {"x": 1})],
)
def test_arguments_that_do_not_fit_are_a_type_error_at_the_call(
    args: Any, kwargs: Any
) -> None:
    @workflow
    async def order() -> str:
        try:
            await charge(*args, **kwargs)
        except TypeError as error:
            return str(error)
        return "no error"

    story = Story(order, using=[charge])
    story.settle()
    assert story.result.startswith("charge() ")
    story.replayed()


def test_an_input_that_cannot_be_written_is_an_error_at_the_call() -> None:
    @workflow
    async def order() -> str:
        bad: Any = object()
        try:
            await charge(bad)
        except SerializationError:
            return await resize("a", width=1)
        return "no error"

    story = Story(order, using=[charge, resize])
    assert story.ids_of(story.decide()) == ["2"]
    story.complete("2", "ok")
    story.settle()
    assert story.result == "ok"


def test_an_input_that_is_too_long_is_an_error_at_the_call() -> None:
    @workflow
    async def order() -> str:
        try:
            await charge("x" * 40_000)
        except InvalidArgument as error:
            return str(error)
        return "no error"

    story = Story(order, using=[charge])
    story.settle()
    assert "charge.input has 40,015 characters; SWF takes 32,768" in story.result


def test_a_result_is_read_by_its_annotation() -> None:
    @workflow
    async def order() -> str:
        return repr(await charge("a"))

    story = Story(order, using=[charge])
    story.decide()
    story.complete("1", {"number": 7, "amount": "2.50"})
    story.settle()
    assert story.result == "Receipt(number=7, amount=Decimal('2.50'))"


def test_a_result_that_cannot_be_read_leaves_the_decision_unanswered() -> None:
    @workflow
    async def order() -> str:
        try:
            await charge("a")
        except Exception:
            return "caught"
        return "read"

    story = Story(order, using=[charge])
    story.decide()
    story.complete("1", {"number": "seven"})
    with pytest.raises(flow.Undecodable, match="event 7 cannot be read: .*number"):
        story.decide()


def test_an_input_of_the_run_that_cannot_be_read_leaves_it_unanswered() -> None:
    @workflow
    async def order(order_id: int) -> None: ...

    bad: Any = "no number"
    with pytest.raises(flow.Undecodable, match="event 1 cannot be read: .*order_id"):
        Story(order, bad).decide()


def test_a_parameter_with_a_default_may_be_missing_and_another_too_many() -> None:
    @workflow
    async def order(order_id: str) -> None: ...

    @workflow
    async def later(order_id: str, express: bool = True) -> list[Any]:
        return [order_id, express]

    @workflow
    async def earlier() -> str:
        return "earlier"

    story = Story(order, "a")
    for newer in (later, earlier):
        newer.type.name = "order"
        run = story.fresh()
        run._program = flow.Program(newer.type)
        events = [e.event(raw) for raw in (story.poll() or PARTS[0])["events"]]
        PARTS[:] = [{"events": [*map(plain, events)]}]
        [close] = run.decide(events).decisions
        run.end()
        assert isinstance(close, d.CompleteWorkflowExecution)
        assert close.result in ('["a",true]', '"earlier"')


PARTS: list[Any] = []


def plain(event: e.Event) -> dict[str, Any]:
    import msgspec

    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(event))
    return found


# -- options --


def test_options_of_a_description_and_of_a_copy() -> None:
    @flow.activity(
        version="1",
        task_list="payers",
        heartbeat_timeout=timedelta(seconds=9),
        start_to_close_timeout=60,
        task_priority=3,
    )
    async def ship(order_id: str) -> None: ...

    other = ship.with_(task_list="express", label="first one", heartbeat_timeout="NONE")

    @workflow
    async def order() -> None:
        ship.start("a")
        other.start("b")
        other.with_(id="by-hand").start("c")
        await asyncio.sleep(1)

    made: list[Any] = Story(order, using=[ship]).decisions()
    first, second, third = made[:3]
    assert first.heartbeat_timeout == "9"
    assert first.start_to_close_timeout == "60"
    assert first.task_priority == "3"
    assert first.control is None
    assert second.task_list.name == "express"
    assert second.heartbeat_timeout == "NONE"
    assert second.control == '{"fv":1,"label":"first one"}'
    assert third.activity_id == "by-hand"
    assert ship.with_() is not ship


def test_an_id_of_ones_own_that_is_open_is_refused() -> None:
    @workflow
    async def order() -> str:
        mine = resize.with_(id="mine")
        first = mine.start("a", width=1)
        try:
            mine.start("b", width=1)
        except InvalidArgument as error:
            await first
            await mine("c", width=1)
            return str(error)
        return "no error"

    story = Story(order, using=[resize])
    for _ in range(2):
        assert story.ids_of(story.decide()) == ["mine"]
        story.tokens.clear()
        story.complete("mine", "")
    story.settle()
    assert "'mine' is open" in story.result


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"tasklist": "x"}, "charge.tasklist is no option"),
        ({"cancellation": "never"}, "charge.cancellation is 'never'"),
        ({"retry": 3}, "charge.retry is 3"),
    ],
)
def test_options_that_there_are_not_are_refused(options: Any, why: str) -> None:
    with pytest.raises(InvalidArgument, match=why):
        charge.with_(**options)


def test_settings_that_cannot_be_are_refused() -> None:
    bad: Any = {"version": "1", "task_list": "t", "timeout": 3}
    with pytest.raises(InvalidArgument, match="timeout is no setting of an activity"):
        flow.activity(**bad)
    with pytest.raises(InvalidArgument, match="timeout is no setting of a workflow"):
        flow.workflow(**bad)
    with pytest.raises(InvalidArgument, match="stands for any number of arguments"):

        @flow.activity(version="1", task_list="t")
        async def many(*args: str) -> None: ...

    decorate: Any = workflow
    with pytest.raises(InvalidArgument, match="is a plain def: write async def"):

        def plainly() -> None: ...

        decorate(plainly)

    with pytest.raises(InvalidArgument, match="is no function"):
        decorate(3)
    unnamed: Any = flow.activity
    with pytest.raises(InvalidArgument, match="f.version is missing"):

        async def f() -> None: ...

        unnamed(task_list="t")(f)


# -- classes --


class Resize(flowser.types.Activity):
    name = "Resize"
    version = "1.0"
    task_list = "payers"

    async def run(self, input: dict[str, int]) -> str:
        return f"{input['width']}"

    @classmethod
    def schedule(cls, *args: Any, **kwargs: Any) -> Any:
        return super().schedule(*args, **kwargs, start_to_close_timeout=77)


class Album(flowser.types.Workflow):
    name = "Album"
    version = "1.0"
    task_list = "deciders"

    def __init__(self, domain: Any) -> None:
        super().__init__(domain)
        self.thumbs: list[str] = []

    async def run(self, input: dict[str, int]) -> list[str]:
        resize = flow.activity(Resize)
        for width in range(input["upto"]):
            self.thumbs.append(await resize({"width": width}))
        return self.thumbs

    @flow.on_signal("more", int)
    async def more(self, width: int) -> None:
        resize = flow.activity(Resize)
        self.thumbs.append(await resize({"width": width}))


def test_classes_with_run_are_workflows_and_activities() -> None:
    album = flow.workflow(Album)
    story = Story(album, {"upto": 2}, using=[flow.activity(Resize)])
    [scheduled] = story.decisions()
    assert isinstance(scheduled, d.ScheduleActivityTask)
    assert scheduled.start_to_close_timeout == "77"
    assert scheduled.input == '{"width":0}'
    story.signal("more", 9)
    assert story.ids_of(story.decide()) == ["s6.1"]
    for id in ("s6.1", "1", "2"):
        story.complete(id, id)
        story.settle()
    assert story.result == ["s6.1", "1", "2"]
    story.replayed().end()


async def test_a_class_outside_of_a_workflow_runs() -> None:
    assert await flow.activity(Resize)({"width": 3}) == "3"
    assert await flow.workflow(Album)({"upto": 2}) == ["0", "1"]


async def test_a_decorated_class_is_made_a_type() -> None:
    @flow.workflow(version="1", task_list="deciders")
    class Order:
        async def run(self, input: str) -> str:
            return input.upper()

    order: Any = Order  # type checkers take what decorates a class for that class
    assert issubclass(order.type, flowser.types.Workflow)
    assert order.type.name == "Order"
    story = Story(order, "a")
    story.settle()
    assert story.result == "A"


# -- failures --


def test_a_failure_is_raised_at_the_await_with_the_remote_cause() -> None:
    @workflow
    async def order() -> list[Any]:
        try:
            await charge("a")
        except flow.ActivityFailed as error:
            cause = error.__cause__
            assert isinstance(cause, flow.RemoteError)
            names: list[Any] = [
                "app.CardDeclined",
                "CardDeclined",
                ValueError,
                LookupError,
            ]
            return [str(error), cause.message, *(error.is_a(name) for name in names)]
        return []

    told = {"fv": 1, "type": "app.CardDeclined", "message": "no funds"}
    told |= {"bases": ["builtins.ValueError"], "traceback": "..."}
    story = Story(order, using=[charge])
    story.decide()
    story.fail("1", "CardDeclined: no funds", json.dumps(told))
    story.settle()
    expected = ["charge (1): CardDeclined: no funds", "no funds"]
    assert story.result == [*expected, True, True, True, False]


def test_a_failure_of_any_worker_is_testable_by_the_name_in_its_reason() -> None:
    @workflow
    async def order() -> list[bool]:
        try:
            await charge("a")
        except flow.ActivityFailed as error:
            return [error.is_a("CardDeclined"), error.is_a(ValueError)]
        return []

    story = Story(order, using=[charge])
    story.decide()
    story.fail("1", "CardDeclined: no funds", "Traceback ...")
    story.settle()
    assert story.result == [True, False]


def test_a_timeout_is_raised_with_its_kind() -> None:
    @workflow
    async def order() -> list[Any]:
        try:
            await charge.with_(heartbeat_timeout=5)("a")
        except flow.ActivityTimedOut as error:
            return [error.kind, error.details, str(error)]
        return []

    story = Story(order, using=[charge])
    story.decide()
    story.beat(story.tasks()[0].id, "half")
    story.skip(6)
    story.settle()
    assert story.result == ["HEARTBEAT", "half", "charge (1): HEARTBEAT"]


def test_a_refused_decision_is_raised_with_its_cause() -> None:
    @flow.activity(version="9", task_list="payers")
    async def unknown() -> None: ...

    @workflow
    async def order() -> str:
        try:
            await unknown()
        except flow.DecisionFailed as error:
            return str(error)
        return "no error"

    story = Story(order)
    story.settle()
    assert story.result == "unknown (1): ACTIVITY_TYPE_DOES_NOT_EXIST"
    story.replayed().end()


class CardDeclined(Exception):
    pass


def test_an_uncaught_exception_fails_the_run_with_details() -> None:
    @workflow
    async def order() -> None:
        try:
            raise ValueError("bad amount")
        except ValueError as error:
            raise CardDeclined("no funds") from error

    story = Story(order)
    story.settle()
    failed = story.last
    assert isinstance(failed, e.WorkflowExecutionFailed)
    assert failed.reason == "CardDeclined: no funds"
    details = json.loads(failed.details or "")
    assert details["fv"] == 1
    assert details["type"] == "tests.test_flow.CardDeclined"
    assert details["message"] == "no funds"
    assert "in order" in details["traceback"]
    assert "flowser/replay" not in details["traceback"]
    assert details["cause"]["type"] == "builtins.ValueError"
    assert details["cause"]["message"] == "bad amount"
    story.replayed()


def test_a_group_of_one_fails_the_run_with_that_one() -> None:
    @workflow
    async def order() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(charge("a"))

    story = Story(order, using=[charge])
    story.decide()
    story.fail("1.1", "CardDeclined: no funds")
    story.settle()
    assert story.last.reason == "ActivityFailed: charge (1.1): CardDeclined: no funds"
    details = json.loads(story.last.details)
    assert details["type"] == "builtins.ExceptionGroup"
    cause = details["cause"]
    assert cause["type"] == "flowser.replay.failures.ActivityFailed"
    assert cause["cause"]["type"] == "CardDeclined"


def test_a_result_that_is_too_long_fails_the_run() -> None:
    @workflow
    async def order() -> str:
        return "x" * 40_000

    story = Story(order)
    story.settle()
    assert story.last.reason.startswith("InvalidArgument: result has 40,002 characters")
    story.replayed()


def test_a_result_that_cannot_be_written_fails_the_run() -> None:
    @workflow
    async def order() -> Any:
        return object()

    story = Story(order)
    story.settle()
    assert story.last.reason.startswith("SerializationError: ")


def test_details_of_a_long_chain_of_long_messages_fit() -> None:
    @workflow
    async def order() -> None:
        error: BaseException | None = None
        for _ in range(50):
            try:
                raise ValueError("é\n" * 20_000) from error
            except ValueError as found:
                error = found
        assert error is not None
        raise error

    story = Story(order)
    story.settle()
    assert len(story.last.reason) == 256
    assert 10_000 < len(story.last.details) <= 32_768
    assert json.loads(story.last.details)["type"] == "builtins.ValueError"


# -- time, chance, notes --


def test_now_random_and_uuid4_are_the_same_again() -> None:
    @workflow
    async def order() -> list[str]:
        first = [str(flow.uuid4()), str(flow.random().random()), flow.now().isoformat()]
        await asyncio.sleep(3)
        return [*first, str(flow.uuid4()), flow.now().isoformat()]

    story = Story(order)
    story.decide()
    story.skip(3)
    story.settle()
    first, _, began, second, ended = story.result
    assert first != second
    passed = datetime.fromisoformat(ended) - datetime.fromisoformat(began)
    assert passed == timedelta(seconds=3)
    assert datetime.fromisoformat(began).tzinfo is UTC or began.endswith("+00:00")
    other = Story(order, workflow_id="o-2", rig=story.rig)
    other.decide()
    other.skip(3)
    other.settle()
    assert not {*other.result[:2]} & {*story.result[:2]}


def test_info_tells_what_the_run_knows_of_itself() -> None:
    @workflow
    async def order() -> list[Any]:
        info = flow.info()
        assert not info.cancel_requested
        assert not info.should_continue_as_new
        assert info.parent is None
        assert info.continued_from is None
        return [
            info.workflow_id,
            info.run_id,
            info.workflow_type.name,
            info.task_list,
            list(info.tags),
            info.history_length,
            info.started_at.isoformat(),
        ]

    story = Story(order, tags=("red",))
    story.settle()
    ids = story.ids["workflowId"], story.ids["runId"]
    started = story.history[0].time_stamp.isoformat()
    assert story.result == [*ids, "order", "deciders", ["red"], 3, started]


def test_status_is_the_execution_context_and_is_sent_when_it_changes() -> None:
    @workflow
    async def order() -> None:
        flow.set_status({"step": 1})
        await asyncio.sleep(1)
        flow.set_status({"step": 1})
        await asyncio.sleep(1)
        flow.set_status({"step": 2})

    story = Story(order)
    assert story.decide().context == '{"fv":1,"status":{"step":1}}'
    story.skip(1)
    assert story.decide().context is None
    story.skip(1)
    assert story.decide().context == '{"fv":1,"status":{"step":2}}'


def test_the_format_is_told_once_by_the_first_decision() -> None:
    @workflow
    async def order() -> None:
        await asyncio.sleep(1)

    story = Story(order)
    assert story.decide().context == '{"fv":1}'
    story.skip(1)
    assert story.decide().context is None


def test_a_status_that_is_too_long_is_refused() -> None:
    @workflow
    async def order() -> None:
        flow.set_status("x" * 40_000)

    story = Story(order)
    story.settle()
    assert story.last.reason.startswith("InvalidArgument: status has 40,")


def test_marks_are_notes_in_the_history() -> None:
    @workflow
    async def order() -> None:
        flow.mark("paid", {"amount": 3})
        flow.mark("paid")
        await asyncio.sleep(1)

    story = Story(order)
    made = story.decisions()
    assert made[:2] == [
        d.RecordMarker(
            marker_name="paid",
            details='{"fv":1,"id":"1","kind":"mark","value":{"amount":3}}',
        ),
        d.RecordMarker(marker_name="paid", details='{"fv":1,"id":"2","kind":"mark"}'),
    ]
    story.skip(1)
    story.settle()
    story.replayed()


@pytest.mark.parametrize(
    "verb", [flow.now, flow.random, flow.uuid4, flow.info, lambda: flow.patched("x")]
)
def test_verbs_mean_something_in_workflows_only(verb: Any) -> None:
    with pytest.raises(flow.NotInWorkflow, match="in workflow code only"):
        verb()


# -- steps --


def test_a_step_is_done_once_and_recorded() -> None:
    calls: list[int] = []

    async def rate(day: int) -> tuple[str, Decimal]:
        calls.append(day)
        await asyncio.sleep(0)
        return "EUR", Decimal("1.1")

    @workflow
    async def order() -> list[Any]:
        found = await flow.step(rate, day=3)
        await asyncio.sleep(1)
        return [str(type(found)), *map(str, found)]

    story = Story(order)
    made = story.decisions()
    assert made[0] == d.RecordMarker(
        marker_name="flowser.step",
        details='{"fv":1,"id":"1","kind":"step","name":"rate","value":["EUR","1.1"]}',
    )
    story.skip(1)
    story.settle()
    assert calls == [3]
    assert story.result == ["<class 'tuple'>", "EUR", "1.1"]
    story.replayed()
    assert calls == [3]


def test_steps_go_on_in_the_order_in_which_they_were_done() -> None:
    def name(text: str) -> str:
        return text

    @workflow
    async def order() -> list[str]:
        told: list[str] = []

        async def one(text: str) -> None:
            told.append(await flow.step(name, text))
            told.append(await flow.step(name, text + text))

        await asyncio.gather(one("a"), one("b"))
        return told

    story = Story(order)
    story.settle()
    assert story.result == ["a", "b", "aa", "bb"]
    story.replayed()


def test_a_step_that_raises_is_recorded_too() -> None:
    async def rate() -> None:
        raise CardDeclined("no funds")

    @workflow
    async def order() -> list[Any]:
        try:
            await flow.step(rate)
        except flow.StepFailed as error:
            await asyncio.sleep(1)
            return [str(error), error.is_a(CardDeclined), error.is_a(ValueError)]
        return []

    story = Story(order)
    story.decide()
    story.skip(1)
    story.settle()
    assert story.result == ["rate (1): CardDeclined: no funds", True, False]


def test_a_step_that_is_canceled_is_not_recorded() -> None:
    def name() -> str:
        return "done"

    @workflow
    async def order() -> str:
        task = asyncio.create_task(flow.step(name))
        first = await flow.step(name)
        task.cancel()
        await asyncio.sleep(1)
        return first

    story = Story(order)
    assert story.ids_of(story.decide()) == ["flowser.step", "3"]
    story.skip(1)
    story.settle()
    assert story.result == "done"


# -- patched --


def test_a_new_run_goes_the_new_way_of_a_change() -> None:
    @workflow
    async def order() -> str:
        if flow.patched("twice"):
            await charge("a")
        flow.patched("twice")
        return await resize("b", width=1)

    story = Story(order, using=[charge, resize])
    assert story.decisions()[0] == d.RecordMarker(
        marker_name="flowser.patch", details='{"fv":1,"id":"twice","kind":"patch"}'
    )
    story.complete("1", {"number": 1, "amount": "1"})
    story.decide()
    story.complete("2", "b")
    story.settle()
    assert story.result == "b"
    assert story.event_types.count("MarkerRecorded") == 1


def test_a_run_from_before_a_change_goes_the_old_way() -> None:
    @workflow
    async def order() -> str:
        return await resize("b", width=1)

    @workflow
    async def changed() -> str:
        if flow.patched("twice"):
            await charge("a")
        return await resize("b", width=1)

    @workflow
    async def final() -> str:
        await charge("a")
        return await resize("b", width=1)

    story = Story(order, using=[charge, resize])
    story.decide()
    story.complete("1", "b")
    story.settle()
    story.replayed(changed).end()

    story = Story(changed, using=[charge, resize])
    story.decide()
    story.replayed(final).end()  # the way out, with the call, is gone


# -- signals --


@dataclass
class Approval:
    by: str


def test_signals_are_kept_and_received_in_order() -> None:
    @workflow
    async def order() -> list[str]:
        approvals = flow.signals("approve", Approval)
        first = await approvals.receive()
        await asyncio.sleep(1)
        assert flow.signals("approve", Approval) is approvals
        assert len(approvals) == 2
        rest = [approvals.receive_nowait().by for _ in range(2)]
        return [first.by, *rest]

    story = Story(order)
    story.signal("approve", {"by": "a"})
    story.decide()
    story.signal("approve", {"by": "b"})
    story.signal("approve", {"by": "c"})
    story.settle()
    story.skip(1)
    story.settle()
    assert story.result == ["a", "b", "c"]


def test_signals_can_be_iterated_over() -> None:
    @workflow
    async def order() -> int:
        total = 0
        async for number in flow.signals("add", int):
            if not number:
                break
            total += number
        return total

    story = Story(order)
    for number in (1, 2, 3, 0):
        story.settle()
        story.signal("add", number)
    story.settle()
    assert story.result == 6


def test_a_signal_that_cannot_be_read_is_left_out(caplog: Any) -> None:
    @workflow
    async def order() -> str:
        return (await flow.signals("approve", Approval).receive()).by

    story = Story(order)
    story.signal("approve", 3)
    story.signal("approve", {"by": "b"})
    story.settle()
    assert story.result == "b"
    assert "signal 'approve' of event 3 is left out" in caplog.text


def test_a_receiver_that_gives_up_loses_no_signal() -> None:
    @workflow
    async def order() -> str:
        approvals = flow.signals("approve", str)
        try:
            async with asyncio.timeout(10):
                return await approvals.receive()
        except TimeoutError:
            return "late: " + await approvals.receive()

    story = Story(order)
    story.decide()
    story.skip(10)
    story.signal("approve", "a")
    story.settle()
    assert story.result == "late: a"


def test_a_handler_is_called_for_each_signal_also_for_earlier_ones() -> None:
    @workflow
    async def order() -> list[str]:
        told: list[str] = []
        await asyncio.sleep(1)

        @flow.on_signal("note", str)
        def note(text: str) -> None:
            told.append(text)

        @flow.on_signal("work", str)
        async def work(text: str) -> None:
            told.append(await resize(text, width=1))

        await asyncio.sleep(1)
        return told

    story = Story(order, using=[resize])
    story.signal("note", "early")
    story.signal("work", "early")
    story.decide()
    story.skip(1)
    assert story.ids_of(story.decide()) == ["2", "s4.1"]
    story.signal("note", "late")
    story.complete("s4.1", "worked")
    story.settle()
    story.skip(1)
    story.settle()
    assert story.result == ["early", "late", "worked"]


@pytest.mark.parametrize("late", [False, True])
def test_what_a_handler_raises_fails_the_run(late: bool) -> None:
    @workflow
    async def order() -> None:
        @flow.on_signal("break")
        async def broken(_: None) -> None:
            if late:
                await asyncio.sleep(1)
            raise CardDeclined("no funds")

        await asyncio.sleep(100)

    story = Story(order)
    story.decide()
    story.signal("break")
    story.settle()
    if late:
        story.skip(1)
        story.settle()
    assert story.last.reason == "CardDeclined: no funds"
    story.replayed()


def test_what_a_plain_handler_raises_fails_the_run() -> None:
    @workflow
    async def order() -> None:
        @flow.on_signal("break")
        def broken(_: None) -> None:
            raise CardDeclined("no funds")

        await asyncio.sleep(100)

    story = Story(order)
    story.decide()
    story.signal("break")
    story.settle()
    assert story.last.reason == "CardDeclined: no funds"


def test_a_signal_is_received_or_handled_and_not_both() -> None:
    @workflow
    async def order() -> list[str]:
        told = []
        flow.signals("a")
        flow.on_signal("b")(print)
        wrongs: list[Any] = [
            lambda: flow.on_signal("a")(print),
            lambda: flow.on_signal("b")(print),
            lambda: flow.signals("b"),
        ]
        for wrong in wrongs:
            try:
                wrong()
            except InvalidArgument as error:
                told.append(str(error))
        return told

    story = Story(order)
    story.settle()
    assert len(story.result) == 3


def test_signals_that_nobody_wants_do_no_harm() -> None:
    @workflow
    async def order() -> str:
        await asyncio.sleep(1)
        return "done"

    story = Story(order)
    story.decide()
    story.signal("whatever", {"x": 1})
    story.settle()
    assert [*story.run.signals] == ["whatever"]
    story.skip(1)
    story.settle()
    assert story.result == "done"


# -- amap --


def test_amap_bounds_how_many_are_open() -> None:
    @workflow
    async def order() -> list[str]:
        async def one(n: int) -> str:
            return await resize(str(n), width=1)

        return await flow.amap(one, range(5), limit=2)

    story = Story(order, using=[resize])
    opened = 0
    while story.waits():
        opened += len(story.decide().decisions)
        for task in story.tasks():
            story.complete(task.id, task.input["image"])
        assert opened <= 6
    assert story.result == ["0", "1", "2", "3", "4"]


def test_amap_tolerates_so_many_failures() -> None:
    @workflow
    async def order() -> list[str]:
        async def one(n: int) -> str:
            return await resize(str(n), width=1)

        found = await flow.amap(one, range(3), tolerate=1)
        return [str(each) for each in found]

    story = Story(order, using=[resize])
    story.decide()
    story.complete("1.1", "0")
    story.fail("2.1", "Broken: no")
    story.complete("3.1", "2")
    story.settle()
    assert story.result == ["0", "resize-image (2.1): Broken: no", "2"]


def test_amap_raises_and_cancels_the_rest_when_one_more_fails() -> None:
    @workflow
    async def order() -> str:
        async def one(n: int) -> str:
            return await resize(str(n), width=1)

        try:
            await flow.amap(one, range(3))
        except* flow.ActivityFailed as group:
            told = group.message
        return told

    story = Story(order, using=[resize])
    story.decide()
    story.tasks()
    story.fail("2.1", "Broken: no")
    assert story.ids_of(story.decide())[:2] == ["1.1", "3.1"]
    assert story.result == "1 of 3 calls failed"


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"tolerate": -1}])
async def test_amap_refuses_bounds_that_make_no_sense(wrong: Any) -> None:
    with pytest.raises(InvalidArgument):
        await flow.amap(charge, ["a"], **wrong)


# -- continue as new --


def test_continue_as_new_begins_a_new_run_with_new_arguments() -> None:
    @workflow
    async def order(page: int) -> str:
        if page < 3:
            order.with_(tag_list=["red"]).continue_as_new(page=page + 1)
        return f"page {page}"

    story = Story(order, 2)
    [made] = story.decisions()
    assert isinstance(made, d.ContinueAsNewWorkflowExecution)
    assert made.input == '{"page":3}'
    assert made.tag_list == ("red",)
    assert made.workflow_type_version == "1"
    assert isinstance(story.last, e.WorkflowExecutionContinuedAsNew)
    story.replayed()


def test_continue_as_new_leaves_task_groups_too() -> None:
    @workflow
    async def order(page: int) -> str:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(60))
            await asyncio.sleep(1)
            order.continue_as_new(page + 1)
        return "never"

    story = Story(order, 1)
    story.decide()
    story.skip(1)
    story.decide()
    assert isinstance(story.last, e.WorkflowExecutionContinuedAsNew)


def test_a_new_run_that_cannot_be_begun_fails_the_run() -> None:
    @workflow
    async def order(page: int) -> None:
        other.continue_as_new(page)

    @flow.workflow(version="2", task_list="deciders", name="order")
    async def other(page: int) -> None: ...

    story = Story(order, 1)
    story.decide()
    story.settle()
    cause = "ContinueAsNewWorkflowExecutionFailed: WORKFLOW_TYPE_DOES_NOT_EXIST"
    assert story.last.reason == cause
    story.replayed()

"""Descriptions of activities and workflows, as their authors see them."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

import flowser
from flowser import decisions as d
from flowser import events as e
from flowser import flow
from flowser.exceptions import InvalidArgument, SerializationError
from flowser.replay.run import Run
from tests.replay.book import Book
from tests.replay.shop import Receipt, charge, resize, workflow
from tests.replay.story import Story

# -- what a decorator makes --


def test_a_decorated_function_makes_a_class_that_could_have_been_written() -> None:
    kind = charge.type
    assert issubclass(kind, flowser.types.Activity)
    assert (kind.name, kind.version, kind.task_list) == ("charge", "1.0", "payers")
    assert kind.description == "Takes money."
    assert kind.__doc__ == "Take money."
    assert kind.__module__ == charge.function.__module__
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
        except Exception:  # noqa: BLE001 - it must not come here
            return "caught"
        return "read"

    story = Story(order, using=[charge])
    story.decide()
    story.complete("1", {"number": "seven"})
    with pytest.raises(flow.Undecodable, match=r"event 7 cannot be read: .*number"):
        story.decide()


def test_an_input_of_the_run_that_cannot_be_read_leaves_it_unanswered() -> None:
    @workflow
    async def order(order_id: int) -> None: ...

    book = Book(order, 1)
    started: Any = book.events[0].attributes
    wrong = msgspec.structs.replace(started, input='{"order_id":"no number"}')
    book.events[0] = msgspec.structs.replace(book.events[0], attributes=wrong)
    with pytest.raises(flow.Undecodable, match=r"event 1 cannot be read: .*order_id"):
        book.decide()
    book.close()


def test_a_parameter_with_a_default_may_be_missing_and_another_too_many() -> None:
    @workflow
    async def order(order_id: str) -> str:
        return order_id

    @workflow
    async def later(order_id: str, express: bool = True) -> list[Any]:
        return [order_id, express]

    @workflow
    async def earlier() -> str:
        return "earlier"

    events = Story(order, "a").history
    attributes = e.DecisionTaskStarted(scheduled_event_id=2)
    event = e.EVENTS["DecisionTaskStarted"]
    events.append(event(id=3, time_stamp=events[1].time_stamp, attributes=attributes))
    for newer, result in ((later, '["a",true]'), (earlier, '"earlier"')):
        run = Run("o-1", "r-1", flow.Program(newer.type))
        [close] = run.decide(events).decisions
        run.end()
        assert close == d.CompleteWorkflowExecution(result=result)


def test_no_input_is_an_object_without_members() -> None:
    @workflow
    async def order(express: bool = True) -> bool:
        return express

    @workflow
    async def strict(order_id: str) -> str:
        return order_id

    book = Book(order)
    started: Any = book.events[0].attributes
    bare = msgspec.structs.replace(started, input=None)
    book.events[0] = msgspec.structs.replace(book.events[0], attributes=bare)
    assert book.decide().decisions == (d.CompleteWorkflowExecution(result="true"),)
    with pytest.raises(flow.Undecodable, match=r"missing required field `order_id`"):
        book.fresh(strict).decide(book.events)
    book.close()


async def test_an_activity_without_input_is_called_with_the_defaults() -> None:
    @flow.activity(version="1", task_list="payers")
    async def ping(times: int = 3) -> int:
        return times

    kind: Any = ping.type(Nowhere())
    assert await kind.run(None) == 3


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


def test_an_id_of_ones_own_is_taken_until_the_last_attempt_is_over() -> None:
    @workflow
    async def order() -> str:
        mine = charge.with_(id="mine", retry=flow.Retry(attempts=2, initial=60))
        mine.start("a")
        await flow.signals("go").receive()
        try:
            mine.start("b")
        except InvalidArgument as error:
            return str(error)
        return "free"

    story = Story(order, using=[charge])
    story.decide()
    story.fail("mine", "Broken: no")
    assert story.ids_of(story.decide()) == ["mine~2w"]
    story.signal("go")
    story.settle()
    assert "'mine' is open" in story.result


def test_an_id_of_ones_own_is_free_when_its_activity_could_not_be_asked_for() -> None:
    @workflow
    async def order() -> str:
        mine, bad, errors = resize.with_(id="mine"), any_(object()), []
        try:
            mine.start(bad, width=1)
        except SerializationError as error:
            errors.append(error)  # whose traceback keeps what was begun
        return await mine("b", width=1)

    story = Story(order, using=[resize])
    assert story.ids_of(story.decide()) == ["mine"]


def any_(value: Any) -> Any:
    """Hide a type from who checks types."""
    return value


def test_an_id_of_ones_own_is_free_when_its_activity_is_over() -> None:
    @workflow
    async def order() -> list[str]:
        mine, told = resize.with_(id="mine"), []
        handle = mine.start("a", width=1)
        await flow.signals("go").receive()
        handle.cancel()
        for _ in range(2):
            try:
                told.append(await mine("b", width=1))
            except InvalidArgument:
                told.append("SWF has not ended it")
                await flow.signals("go").receive()
        return told

    story = Story(order, using=[resize])
    story.decide()
    story.tasks()
    story.signal("go")
    assert story.ids_of(story.decide()) == ["mine"]  # its cancel request
    story.acknowledge("mine")
    story.signal("go")
    assert story.ids_of(story.decide()) == ["mine"]  # another one
    story.tokens.clear()
    story.complete("mine", "b")
    story.settle()
    assert story.result == ["SWF has not ended it", "b"]


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
    with pytest.raises(InvalidArgument, match=r"f\.version is missing"):

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


class Reversed:
    """Writes JSON from behind."""

    def dumps(self, value: Any, /) -> str:
        return flowser.serializing.JSON.dumps(value)[::-1]

    def loads(self, text: str, /, type: Any = Any) -> Any:
        return flowser.serializing.JSON.loads(text[::-1], type)


class Odd(Resize):
    name = "Odd"
    serializer = Reversed()


def test_a_class_may_have_a_serializer_of_its_own() -> None:
    @workflow
    async def order() -> str:
        return str(await flow.activity(Odd)({"width": 3}))

    story = Story(order, using=[flow.activity(Odd)])
    [scheduled] = story.decisions()
    assert isinstance(scheduled, d.ScheduleActivityTask)
    assert scheduled.input == '}3:"htdiw"{'
    story.tasks()
    story.complete("1", "3")
    story.settle()
    assert story.result == "3"


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


def test_a_class_that_cannot_be_made_fails_the_run() -> None:
    class Order(flowser.types.Workflow):
        name, version, task_list = "Order", "1", "deciders"

        def __init__(self, domain: Any) -> None:
            raise LookupError("no settings")

        async def run(self, input: None) -> None: ...

    story = Story(flow.workflow(Order), None)
    story.settle()
    assert story.last.reason == "LookupError: no settings"

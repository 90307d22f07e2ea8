"""What authors may get wrong, and the errors that tell them."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest

import flowser
from flowser import flow
from flowser.exceptions import InvalidArgument, SerializationError
from flowser.worker import Worker
from tests.flows import domain_of
from tests.replay.shop import charge, resize, workflow
from tests.replay.story import Story


class Opaque:
    """Nothing that JSON could be."""


def any_(value: Any) -> Any:
    """Hide a type from who checks types."""
    return value


async def charged() -> None: ...


@flow.workflow(version="1", task_list="kids", name="order")
async def order_of(order_id: str) -> str:
    return order_id


def wrongly(call: Callable[[], Any]) -> str:
    """Do something in workflow code; give what the run fails of."""

    @workflow
    async def order() -> None:
        found = call()
        if asyncio.iscoroutine(found) or asyncio.isfuture(found):
            await found

    story = Story(order, using=[charge, resize])
    story.settle()
    reason: str = story.last.reason
    return reason


def opaquely() -> Opaque:
    return Opaque()


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda: charge.with_(heartbeat_timeout="x"), "charge.heartbeat_timeout is"),
        (lambda: charge.with_(task_list=any_(3)), "charge.task_list.name is an int"),
        (lambda: charge.with_(task_list=""), "charge.task_list.name is empty"),
        (lambda: charge.with_(task_priority="high"), "charge.task_priority is 'high'"),
        (lambda: charge.with_(label=any_(3)), "charge.label is 3: pass a string"),
        (lambda: charge.with_(id=any_(3)), "charge.id is an int"),
        (lambda: charge.with_(id="a:b"), "charge.id 'a:b' contains ':'"),
        (lambda: order_of.with_(child_policy="NO"), "order.child_policy is 'NO'"),
        (lambda: order_of.with_(tag_list=["x"] * 6), "order.tag_list has 6 items"),
        (lambda: order_of.with_(id=""), "order.id is empty"),
        (lambda: order_of.with_(task_start_to_close_timeout="x"), "order.task_start"),
        (lambda: flow.Retry(attempts=any_(2.5)), "retry.attempts is 2.5"),
        (lambda: flow.Retry(non_retryable=any_((3,))), "retry.non_retryable is (3,)"),
        (lambda: flow.Retry(non_retryable=any_(None)), "retry.non_retryable is None"),
        (lambda: flow.lambda_function(any_(3)), "name is an int"),
        (lambda: flow.lambda_function("f", timeout=901), "timeout is 901"),
        (lambda: flow.lambda_function("f", timeout="x"), "timeout is 'x'"),
        (lambda: flow.lambda_function("f", result=Opaque), "the result of f is of a"),
        (lambda: flow.signals(any_(3)), "name is an int"),
        (lambda: flow.signals(""), "name is empty"),
        (lambda: flow.signals("go", Opaque), "signal 'go' is of a type that JSON"),
        (lambda: flow.on_signal(any_(print)), "name is a builtin_function_or_method"),
        (lambda: flow.on_signal("go", Opaque), "signal 'go' is of a type that JSON"),
        (lambda: flow.patched(any_(3)), "id is an int"),
        (lambda: flow.patched(""), "id is empty"),
        (lambda: flow.patched("x" * 257), "id has 257 characters"),
        (lambda: flow.mark(any_(3)), "marker_name is an int"),
        (lambda: flow.mark(""), "marker_name is empty"),
        (lambda: flow.mark("x", Opaque()), "SerializationError: "),
        (lambda: flow.mark("x", "y" * 40_000), "x.details has 40,"),
        (lambda: flow.set_status(Opaque()), "SerializationError: "),
        (lambda: flow.external(any_(3)).signal("go"), "workflow_id is an int"),
        (lambda: flow.external("o-2").signal(any_(3)), "signal_name is an int"),
        (lambda: flow.external("o-2").signal(""), "signal_name is empty"),
        (lambda: flow.external("o-2").signal("go", Opaque()), "SerializationError: "),
        (lambda: flow.external("").request_cancel(), "workflow_id is empty"),
        (lambda: flow.step(any_(None)), "function is no function, but of type None"),
        (lambda: flow.step(any_(charged())), "function is no function, but of type c"),
        (lambda: flow.step(opaquely), "what opaquely() returns is of a type that JSON"),
        (lambda: flow.amap(charge, ["a"], limit=any_("x")), "limit is 'x'"),
        (lambda: flow.amap(charge, ["a"], tolerate=any_(None)), "tolerate is None"),
    ],
)
def test_arguments_that_cannot_be_are_named(call: Callable[[], Any], why: str) -> None:
    assert why in wrongly(call)


@pytest.mark.parametrize(
    "id", ["2", "2.1", "1~2", "c1", "s6.1", "x0123abcd.1", "order~3"]
)
def test_an_id_that_might_be_a_number_of_ours_is_refused(id: str) -> None:
    with pytest.raises(InvalidArgument, match="as activities are numbered: put a word"):
        charge.with_(id=id)


@pytest.mark.parametrize("id", ["order 2", "o-2", "2-1", "cc1", "s", "x12.1", "~"])
def test_any_other_id_is_an_authors_own(id: str) -> None:
    charge.with_(id=id)


def test_settings_of_a_description_are_checked_where_it_is_written() -> None:
    async def ping() -> None: ...

    decorate: Any = flow.activity
    for wrong, why in (
        ({"heartbeat_timeout": "soon"}, "ping.heartbeat_timeout is 'soon'"),
        ({"version": ""}, "ping.activity_type.version is empty"),
        ({"version": 1}, "ping.version is 1: set it to a string"),
        ({"task_list": None}, "ping.task_list is missing"),
    ):
        with pytest.raises(InvalidArgument, match=re.escape(why)):
            decorate(**{"version": "1", "task_list": "t"} | wrong)(ping)

    with pytest.raises(InvalidArgument, match=r"pong\.tag_list has 6 items"):

        @flow.workflow(version="1", task_list="t", default_tag_list=["x"] * 6)
        async def pong() -> None: ...


def test_what_is_decorated_twice_is_refused() -> None:
    twice: Any = flow.workflow(version="2", task_list="t")
    with pytest.raises(InvalidArgument, match="is decorated already"):
        twice(order_of)

    with pytest.raises(InvalidArgument, match=r"Order\.run is a method: write a func"):

        @flow.workflow(version="1", task_list="t")
        class Order:
            @twice  # type: ignore[untyped-decorator]
            async def run(self, input: str) -> str:
                return input


def test_what_is_no_function_of_a_workflow_is_refused() -> None:
    decorate: Any = workflow
    with pytest.raises(InvalidArgument, match="is no function"):
        decorate(partial(charged))

    async def pages() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(InvalidArgument, match=r"pages yields: return a list"):
        decorate(pages)

    with pytest.raises(InvalidArgument, match="max does not tell its parameters"):
        decorate(max)

    def hidden(__x: int) -> int:  # noqa: PYI063 - what is tested
        return __x

    with pytest.raises(InvalidArgument, match="begins with two underscores"):
        decorate(hidden)

    class Bare:
        pass

    with pytest.raises(InvalidArgument, match="Bare has no run"):
        decorate(Bare)


def test_two_handlers_of_one_signal_are_refused_when_a_worker_begins() -> None:
    class Order(flowser.types.Workflow):
        name, version, task_list = "Order", "1", "deciders"

        async def run(self, input: None) -> None: ...

        @flow.on_signal("go")
        def go(self, _: Any) -> None: ...

        @flow.on_signal("go")
        async def gone(self, _: Any) -> None: ...

    async def check() -> None:
        with pytest.raises(InvalidArgument, match=r"Order\.gone and go both handle"):
            Worker(domain_of([Order])(any_(Nowhere())))

    asyncio.run(check())


class Nowhere:
    """A wire that leads nowhere."""

    async def call(self, *_: Any) -> Any: ...


def test_annotations_that_json_cannot_be_are_refused_when_a_worker_begins() -> None:
    @flow.activity(version="1", task_list="t")
    async def takes(opaque: Opaque) -> None: ...

    @flow.activity(version="1", task_list="t")
    async def gives(items: list[int]) -> dict[str, Opaque]:
        return {}

    @flow.workflow(version="1", task_list="t")
    async def either(one: dict[str, int] | list[Opaque]) -> None: ...

    async def check(kinds: Any, why: str) -> None:
        with pytest.raises(InvalidArgument, match=why):
            Worker(kinds(any_(Nowhere())))

    for kinds, why in (
        (domain_of([], [takes]), "takes: opaque is of a type that JSON cannot be"),
        (domain_of([], [gives]), "gives: the result is of a type that JSON cannot be"),
        (domain_of([either]), "either: one is of a type that JSON cannot be"),
    ):
        asyncio.run(check(kinds, why))


def test_annotations_that_are_no_dataclass_but_read_pass() -> None:
    @flow.activity(version="1", task_list="t")
    async def takes(thing: object, other: "dict[str, object] | None" = None) -> None:
        """Take anything."""

    takes.type.check_payloads()


async def test_an_input_that_a_workflow_does_not_take_is_refused_at_its_start() -> None:
    domain = domain_of([order_of])(any_(Nowhere()))
    for wrong, why in (
        (order_of.input(any_(3)), r"Expected `str`, got `int` - at `\$\.order_id`"),
        ({"orderId": "a"}, "missing required field `order_id`"),
        (None, "missing required field `order_id`"),
    ):
        with pytest.raises(SerializationError, match=why):
            await domain.start(order_of, wrong, workflow_id="w-1")


@pytest.mark.parametrize(
    "call",
    [
        lambda: order_of(any_(3)),
        lambda: order_of.start(any_(3)),
        lambda: order_of.continue_as_new(any_(3)),
    ],
)
def test_an_input_that_a_child_or_a_next_run_does_not_take_is_refused(
    call: Callable[[], Any],
) -> None:
    assert "Expected `str`, got `int` - at `$.order_id`" in wrongly(call)


async def test_a_start_without_an_id_is_told_to_pass_one() -> None:
    domain = domain_of([order_of])(any_(Nowhere()))
    remedy = r'pass an id \(workflow_id="order-17"\), or name a parameter `id`'
    with pytest.raises(InvalidArgument, match=remedy):
        await domain.start(order_of, order_of.input("a"))


def test_a_parameter_id_makes_the_id() -> None:
    @workflow
    async def parcel(id: int) -> None: ...

    assert parcel.type.id_of(parcel.input(17)) == "parcel-17"


def test_a_channel_has_one_type() -> None:
    @workflow
    async def order() -> str:
        channel = flow.signals("go", int)
        assert flow.signals("go") is channel
        try:
            flow.signals("go", str)
        except InvalidArgument as error:
            return str(error)
        return "never"

    story = Story(order)
    story.settle()
    assert "signal 'go' is of <class 'int'> already" in story.result

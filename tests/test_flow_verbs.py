"""The verbs of workflow code."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import flowser
from flowser import decisions as d
from flowser import events as e
from flowser import flow
from tests.replay.shop import charge, resize, workflow
from tests.replay.story import Story

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


def test_continue_as_new_keeps_what_the_run_was_started_with() -> None:
    @workflow
    async def order(page: int) -> None:
        order.continue_as_new(page + 1)

    story = Story(order, 1, tags=("red", "blue"))
    [made] = story.decisions()
    started: Any = story.history[0].attributes
    assert isinstance(made, d.ContinueAsNewWorkflowExecution)
    assert made.tag_list == ("red", "blue")
    assert made.task_list == started.task_list
    for name in (
        "child_policy",
        "execution_start_to_close_timeout",
        "task_start_to_close_timeout",
    ):
        assert getattr(made, name) == getattr(started, name)


def test_a_run_without_tags_is_continued_without_those_of_its_type() -> None:
    @flow.workflow(version="1", task_list="deciders", default_tag_list=["red"])
    async def order(page: int) -> None:
        order.continue_as_new(page + 1)

    [made] = Story(order, 1, tags=()).decisions()
    assert isinstance(made, d.ContinueAsNewWorkflowExecution)
    assert made.tag_list == ()


def test_continue_as_new_is_a_verb_for_functions_and_classes() -> None:
    @workflow
    async def order(page: int, size: int = 3) -> None:
        flow.continue_as_new(page + 1, size=4)

    [made] = Story(order, 1).decisions()
    assert isinstance(made, d.ContinueAsNewWorkflowExecution)
    assert made.input == '{"page":2,"size":4}'

    class Order(flowser.types.Workflow):
        name, version, task_list = "Order", "1", "deciders"

        async def run(self, input: int) -> None:
            flow.continue_as_new(input + 1)

    [made] = Story(flow.workflow(Order), 1).decisions()
    assert isinstance(made, d.ContinueAsNewWorkflowExecution)
    assert made.input == "2"


@pytest.mark.parametrize("late", [False, True])
def test_continue_as_new_leaves_a_handler_of_signals_too(late: bool) -> None:
    @workflow
    async def order(page: int) -> None:
        @flow.on_signal("next")
        def turn(_: None) -> None:
            if not late:
                order.continue_as_new(page + 1)

        @flow.on_signal("later")
        async def turn_later(_: None) -> None:
            await asyncio.sleep(0)
            order.continue_as_new(page + 1)

        await asyncio.sleep(100)

    story = Story(order, 1)
    story.decide()
    story.signal("later" if late else "next")
    story.decide()
    assert isinstance(story.last, e.WorkflowExecutionContinuedAsNew)


def test_info_tells_how_often_the_decision_was_begun() -> None:
    @workflow
    async def order() -> list[int]:
        first = flow.info().attempt
        await flow.signals("go").receive()
        return [first, flow.info().attempt]

    story = Story(order)
    assert story.poll()  # whoever has it does not answer
    story.skip(121)
    story.decide()
    story.signal("go")
    story.settle()
    assert story.result == [2, 1]
    story.replayed()

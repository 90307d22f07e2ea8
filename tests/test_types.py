"""Types say what decisions and starts are made of; nothing else needs to be passed."""

from datetime import timedelta
from typing import Any

import pytest

from flowser import requests, shapes
from flowser._settings import priority
from flowser.decisions import Decision, wrapped
from flowser.exceptions import (
    InvalidArgument,
    SerializationError,
    WorkflowExecutionAlreadyStartedFault,
)
from flowser.types import RunOptions, Type, Workflow
from tests.declared import (
    Album,
    Photos,
    Resize,
    body,
    connected,
    offline,
)
from tests.support.answers import Fault, Recorded
from tests.support.scripted import ScriptedSwf


def attributes(decision: Decision) -> Any:
    """Give a decision's attributes as they are on the wire."""
    made = requests.RespondDecisionTaskCompleted(
        task_token="t", decisions=(wrapped(decision),)
    )
    (_, written) = body(made)["decisions"][0].values()
    return written


# -- ids --


@pytest.mark.parametrize(
    "input", [{"id": "7", "x": 1}, {"id": 7}, type("Input", (), {"id": "7"})()]
)
def test_id_is_made_of_the_types_name_and_the_inputs_id(input: Any) -> None:
    assert Resize.id_of(input) == "Resize-7"
    assert Resize.get_id_from_input(input) == "7"


@pytest.mark.parametrize(
    "input",
    [
        None,
        {},
        {"ID": 1},
        [1],
        "text",
        {"id": None},
    ],
)
def test_input_without_an_id_says_what_to_implement(input: Any) -> None:
    with pytest.raises(InvalidArgument, match="input has no id: implement get_id_from"):
        Resize.schedule(input)


def test_id_that_a_type_makes_itself_is_used_as_it_is() -> None:
    class Named(Resize):
        @staticmethod
        def get_id_from_input(input: Any) -> str:
            return f"{input['path']}!"

    assert Named.schedule({"path": "a.png"}).activity_id == "a.png!"


def test_id_may_be_made_by_a_class_method_as_in_the_original() -> None:
    class Listed(Resize):
        @classmethod
        def get_id_from_input(cls, input: Any) -> str:
            return f"{cls.task_list}-{input['id']}"

    assert Listed.schedule({"id": 7}).activity_id == "images-7"


def test_id_that_is_passed_wins() -> None:
    assert Resize.schedule([1], activity_id="mine").activity_id == "mine"
    assert Album.start_child([1], workflow_id="mine").workflow_id == "mine"


@pytest.mark.parametrize("input", [{"id": ""}, type("Input", (), {"id": ""})()])
def test_input_with_an_empty_id_says_so(input: Any) -> None:
    """Every such input would have the same id."""
    with pytest.raises(InvalidArgument, match=r"^input has '' for an id: implement"):
        Resize.schedule(input)


def test_nought_is_an_id() -> None:
    assert Resize.id_of({"id": 0}) == "Resize-0"


def test_empty_id_that_is_passed_is_refused_and_not_replaced() -> None:
    """It is the caller's mistake, which another id would hide."""
    with pytest.raises(InvalidArgument, match=r"activity_id is empty: give it"):
        attributes(Resize.schedule({"id": 1}, activity_id=""))
    with pytest.raises(InvalidArgument, match=r"workflow_id is empty: give it"):
        attributes(Album.start_child({"id": 1}, workflow_id=""))


# -- schedule --


def test_schedule_sends_the_classes_own_settings() -> None:
    assert attributes(Resize.schedule({"id": 7})) == {
        "activityType": {"name": "Resize", "version": "1.0"},
        "activityId": "Resize-7",
        "input": '{"id":7}',
        "taskList": {"name": "images"},
        "heartbeatTimeout": "3600",
        "scheduleToCloseTimeout": "3600",
        "scheduleToStartTimeout": "3600",
        "startToCloseTimeout": "3600",
    }


def test_schedule_takes_every_setting_otherwise() -> None:
    made = Resize.schedule(
        {"id": 7},
        "note",
        activity_id="a",
        task_list="others",
        task_priority=-3,
        heartbeat_timeout="NONE",
        schedule_to_close_timeout=60,
        schedule_to_start_timeout=timedelta(seconds=1.5),
        start_to_close_timeout="30",
    )
    assert attributes(made) == {
        "activityType": {"name": "Resize", "version": "1.0"},
        "activityId": "a",
        "control": "note",
        "input": '{"id":7}',
        "taskList": {"name": "others"},
        "taskPriority": "-3",
        "heartbeatTimeout": "NONE",
        "scheduleToCloseTimeout": "60",
        "scheduleToStartTimeout": "2",
        "startToCloseTimeout": "30",
    }


def test_nought_seconds_and_priority_nought_are_values_and_not_gaps() -> None:
    class Ranked(Resize):
        task_priority = 5

    made = attributes(Ranked.schedule({"id": 1}, heartbeat_timeout=0, task_priority=0))
    assert (made["heartbeatTimeout"], made["taskPriority"]) == ("0", "0")
    assert attributes(Ranked.schedule({"id": 1}))["taskPriority"] == "5"


def test_settings_of_a_class_may_be_durations_of_every_kind() -> None:
    class Quick(Resize):
        heartbeat_timeout = timedelta(seconds=10)
        schedule_to_close_timeout = 20
        schedule_to_start_timeout = "NONE"

    made = attributes(Quick.schedule({"id": 1}))
    assert made["heartbeatTimeout"] == "10"
    assert made["scheduleToCloseTimeout"] == "20"
    assert made["scheduleToStartTimeout"] == "NONE"


def test_bad_duration_is_refused_by_its_name() -> None:
    with pytest.raises(InvalidArgument, match=r"^heartbeat_timeout is -1"):
        Resize.schedule({"id": 1}, heartbeat_timeout=-1)


def test_input_of_none_is_no_input() -> None:
    assert "input" not in attributes(Resize.schedule(activity_id="a"))


def test_input_that_is_no_json_is_refused() -> None:
    with pytest.raises(SerializationError, match="object"):
        Resize.schedule(object(), activity_id="a")


def test_schedule_can_be_wrapped_as_in_the_original() -> None:
    class Wrapping(Resize):
        @classmethod
        def schedule(  # type: ignore[override]
            cls, identity: str, numbers: list[int]
        ) -> Decision:
            return super().schedule({"id": identity, "numbers": numbers})

    made = attributes(Wrapping.schedule("x", [1, 2]))
    assert made["activityId"] == "Resize-x"
    assert made["input"] == '{"id":"x","numbers":[1,2]}'


# -- start and start_child --


def test_child_is_started_with_the_classes_own_settings() -> None:
    assert attributes(Album.start_child({"id": 7})) == {
        "workflowType": {"name": "Album", "version": "1.0"},
        "workflowId": "Album-7",
        "input": '{"id":7}',
        "taskList": {"name": "albums"},
        "childPolicy": "TERMINATE",
        "executionStartToCloseTimeout": "600",
        "taskStartToCloseTimeout": "120",
    }


OPTIONS: RunOptions = {
    "child_policy": "ABANDON",
    "execution_start_to_close_timeout": timedelta(hours=1),
    "lambda_role": "role",
    "tag_list": ["a", "b"],
    "task_list": "others",
    "task_priority": "9",
    "task_start_to_close_timeout": "NONE",
}
OPTIONS_WRITTEN = {
    "childPolicy": "ABANDON",
    "executionStartToCloseTimeout": "3600",
    "lambdaRole": "role",
    "tagList": ["a", "b"],
    "taskList": {"name": "others"},
    "taskPriority": "9",
    "taskStartToCloseTimeout": "NONE",
}


def test_child_takes_every_setting_otherwise() -> None:
    made = Album.start_child(None, "note", workflow_id="w", **OPTIONS)
    assert attributes(made) == OPTIONS_WRITTEN | {
        "workflowType": {"name": "Album", "version": "1.0"},
        "workflowId": "w",
        "control": "note",
    }


def test_tags_of_the_class_are_sent_unless_others_are_given() -> None:
    class Tagged(Album):
        default_tag_list = ["red", "green"]

    assert attributes(Tagged.start_child({"id": 1}))["tagList"] == ["red", "green"]
    other = Tagged.start_child({"id": 1}, tag_list=("blue",))
    assert attributes(other)["tagList"] == ["blue"]
    assert attributes(Tagged.start_child({"id": 1}, tag_list=[]))["tagList"] == []


def test_tags_given_as_a_text_are_refused_and_not_spelled_out() -> None:
    with pytest.raises(InvalidArgument, match="tag_list is a str"):
        attributes(Album.start_child({"id": 1}, tag_list="red"))


@pytest.mark.parametrize("tags", [5, True, 1.5, object()])
def test_tags_that_are_no_list_are_refused(tags: Any) -> None:
    kind = type(tags).__name__
    with pytest.raises(InvalidArgument, match=rf"tag_list is an? {kind}: pass a list"):
        attributes(Album.start_child({"id": 1}, tag_list=tags))


def test_tags_may_be_anything_that_can_be_gone_through() -> None:
    made = Album.start_child({"id": 1}, tag_list=(tag for tag in "ab"))
    assert attributes(made)["tagList"] == ["a", "b"]


def test_option_that_a_run_does_not_have_is_refused_by_its_name() -> None:
    with pytest.raises(
        InvalidArgument, match=r"^tags is no option of a run: use child"
    ):
        Album.start_child({"id": 1}, tags=["a"])  # type: ignore[call-arg]


async def test_start_sends_the_classes_settings_and_gives_a_handle(
    scripted: ScriptedSwf,
) -> None:
    scripted.answer("StartWorkflowExecution", {"runId": "run-1"})
    async with connected(scripted.url) as conn:
        handle = await Album(Photos(conn)).start({"id": 7})
    assert (handle.workflow_id, handle.run_id) == ("Album-7", "run-1")
    assert scripted.requests[0].params == {
        "domain": "photos",
        "workflowId": "Album-7",
        "workflowType": {"name": "Album", "version": "1.0"},
        "input": '{"id":7}',
        "taskList": {"name": "albums"},
        "childPolicy": "TERMINATE",
        "executionStartToCloseTimeout": "600",
        "taskStartToCloseTimeout": "120",
    }


async def test_start_takes_every_setting_otherwise(scripted: ScriptedSwf) -> None:
    scripted.answer("StartWorkflowExecution", {"runId": "run-1"})
    async with connected(scripted.url) as conn:
        await Album(Photos(conn)).start(workflow_id="w", **OPTIONS)
    assert scripted.requests[0].params == OPTIONS_WRITTEN | {
        "domain": "photos",
        "workflowId": "w",
        "workflowType": {"name": "Album", "version": "1.0"},
    }


async def test_start_of_an_id_that_runs_already_says_which(
    scripted: ScriptedSwf,
) -> None:
    scripted.answer(
        "StartWorkflowExecution", Fault("WorkflowExecutionAlreadyStartedFault", None)
    )
    async with connected(scripted.url) as conn:
        with pytest.raises(WorkflowExecutionAlreadyStartedFault) as refused:
            await Album(Photos(conn)).start({"id": 7})
    assert refused.value.workflow_id == "Album-7"


async def test_start_with_a_bad_argument_sends_nothing(scripted: ScriptedSwf) -> None:
    async with connected(scripted.url) as conn:
        with pytest.raises(InvalidArgument, match=r"^workflow_id .*contains ':'"):
            await Album(Photos(conn)).start(workflow_id="a:b")
        with pytest.raises(InvalidArgument, match=r"^workflow_id is empty"):
            await Album(Photos(conn)).start({"id": 7}, workflow_id="")
        with pytest.raises(InvalidArgument, match=r"^input has '' for an id"):
            await Album(Photos(conn)).start({"id": ""})
        with pytest.raises(InvalidArgument, match=r"^input has 32,771 characters"):
            await Album(Photos(conn)).start("x" * 32_769, workflow_id="w")
    assert scripted.requests == []


async def test_start_can_be_wrapped_as_in_the_original(scripted: ScriptedSwf) -> None:
    class Wrapping(Album):
        async def start(self, identity: str) -> Any:  # type: ignore[override]
            return await super().start({"id": identity})

    async def answer(recorded: Recorded) -> dict[str, Any]:
        return {"runId": f"run of {recorded.params['workflowId']}"}

    scripted.always("StartWorkflowExecution", answer)
    async with connected(scripted.url) as conn:
        handle = await Photos(conn).start(Wrapping, "x")
    assert handle.run_id == "run of Album-x"


# -- names --


def test_types_name_themselves_as_swf_does() -> None:
    assert Resize.activity_type() == shapes.ActivityType(name="Resize", version="1.0")
    assert Album.workflow_type() == shapes.WorkflowType(name="Album", version="1.0")


def test_type_knows_its_domain() -> None:
    domain = offline()
    assert Album(domain).domain is domain
    assert issubclass(Album, Type)


def test_priority_is_written_as_digits() -> None:
    assert priority(None) is None
    assert priority(None, 3) == priority("3") == priority(3, 9) == "3"
    assert issubclass(Workflow, Type)

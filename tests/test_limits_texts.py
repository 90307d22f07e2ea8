"""Texts: how long, of which characters, and which names SWF does not take."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from flowser import decisions, requests, shapes
from flowser.exceptions import InvalidArgument
from tests.declared import body
from tests.limited import (
    Make,
    answer,
    listing,
    poll,
    registration,
    start,
    tagging,
    terminate,
)
from tests.support import samples

#: path of the argument, most characters, least characters, the request with a value
TEXTS: list[tuple[str, int, int, Make]] = [
    ("name", 256, 1, lambda x: requests.DescribeDomain(name=x)),
    ("domain", 256, 1, lambda x: start(domain=x)),
    ("workflow_id", 256, 1, lambda x: start(workflow_id=x)),
    (
        "workflow_type.name",
        256,
        1,
        lambda x: start(workflow_type=shapes.WorkflowType(name=x, version="v")),
    ),
    (
        "workflow_type.version",
        64,
        1,
        lambda x: start(workflow_type=shapes.WorkflowType(name="n", version=x)),
    ),
    ("task_list.name", 256, 1, lambda x: start(task_list=shapes.TaskList(name=x))),
    ("input", 32_768, 0, lambda x: start(input=x)),
    ("tag_list[1]", 256, 0, lambda x: start(tag_list=("a", x))),
    ("lambda_role", 1_600, 1, lambda x: start(lambda_role=x)),
    ("version", 64, 1, lambda x: registration(version=x)),
    ("description", 1_024, 0, lambda x: registration(description=x)),
    ("run_id", 64, 0, lambda x: terminate(run_id=x)),
    ("reason", 256, 0, lambda x: terminate(reason=x)),
    ("details", 32_768, 0, lambda x: terminate(details=x)),
    (
        "signal_name",
        256,
        1,
        lambda x: requests.SignalWorkflowExecution(
            domain="d", workflow_id="w", signal_name=x
        ),
    ),
    (
        "execution.run_id",
        64,
        1,
        lambda x: requests.DescribeWorkflowExecution(
            domain="d",
            execution=shapes.WorkflowExecution(workflow_id="w", run_id=x),
        ),
    ),
    ("identity", 256, 0, lambda x: poll(identity=x)),
    ("next_page_token", 2_048, 0, lambda x: poll(next_page_token=x)),
    (
        "task_token",
        1_024,
        1,
        lambda x: requests.RespondActivityTaskCompleted(task_token=x),
    ),
    (
        "result",
        32_768,
        0,
        lambda x: requests.RespondActivityTaskCompleted(task_token="t", result=x),
    ),
    (
        "details",
        2_048,
        0,
        lambda x: requests.RecordActivityTaskHeartbeat(task_token="t", details=x),
    ),
    ("execution_context", 32_768, 0, lambda x: answer(execution_context=x)),
    ("resource_arn", 1_600, 1, lambda x: tagging(arn=x)),
    ("tags[0].key", 128, 1, lambda x: tagging(key=x)),
    ("tags[0].value", 256, 0, lambda x: tagging(value=x)),
    (
        "type_filter.version",
        64,
        0,
        lambda x: listing(type_filter=shapes.WorkflowTypeFilter(name="n", version=x)),
    ),
    ("tag_filter.tag", 256, 0, lambda x: listing(tag_filter=shapes.TagFilter(tag=x))),
    (
        "decisions[0] (RecordMarker).marker_name",
        256,
        1,
        lambda x: answer(decisions.RecordMarker(marker_name=x)),
    ),
    (
        "decisions[1] (StartTimer).timer_id",
        256,
        1,
        lambda x: answer(
            decisions.CancelTimer(timer_id="t"),
            decisions.StartTimer(timer_id=x, start_to_fire_timeout="1"),
        ),
    ),
    (
        "decisions[0] (FailWorkflowExecution).reason",
        256,
        0,
        lambda x: answer(decisions.FailWorkflowExecution(reason=x)),
    ),
    (
        "decisions[0] (ScheduleLambdaFunction).name",
        64,
        1,
        lambda x: answer(decisions.ScheduleLambdaFunction(id="i", name=x)),
    ),
    (
        "decisions[0] (ScheduleLambdaFunction).id",
        256,
        1,
        lambda x: answer(decisions.ScheduleLambdaFunction(id=x, name="n")),
    ),
    (
        "decisions[0] (RequestCancelActivityTask).activity_id",
        256,
        1,
        lambda x: answer(decisions.RequestCancelActivityTask(activity_id=x)),
    ),
]


@pytest.mark.parametrize(("path", "most", "least", "make"), TEXTS)
def test_text_is_taken_at_its_limit_and_refused_beyond(
    path: str, most: int, least: int, make: Make
) -> None:
    body(make("x" * most))
    body(make("é" * least))
    with pytest.raises(InvalidArgument) as refused:
        body(make("x" * (most + 1)))
    error = refused.value
    assert error.argument == path
    assert f"{most + 1:,} characters" in error.problem
    assert f"SWF takes {most:,}" in error.problem
    assert error.remedy
    assert str(error) == f"{path} {error.problem}: {error.remedy}"


@pytest.mark.parametrize(("path", "make"), [(p, m) for p, _, low, m in TEXTS if low])
def test_empty_text_is_refused_where_swf_wants_a_character(
    path: str, make: Make
) -> None:
    with pytest.raises(InvalidArgument, match="is empty") as refused:
        body(make(""))
    assert refused.value.argument == path


@pytest.mark.parametrize(("path", "make"), [(p, m) for p, _, _, m in TEXTS])
@pytest.mark.parametrize("value", [7, b"bytes", 1.5, ["x"]])
def test_value_that_is_no_text_is_refused_by_its_type(
    path: str, make: Make, value: Any
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        body(make(value))
    assert refused.value.argument == path
    assert type(value).__name__ in str(refused.value) or repr(value) in str(
        refused.value
    )


def test_remedy_for_a_long_payload_is_to_store_it_elsewhere() -> None:
    with pytest.raises(InvalidArgument, match="store it elsewhere"):
        body(start(input="x" * 32_769))


def test_characters_are_counted_and_not_bytes() -> None:
    assert body(start(input="é" * 32_768))["input"] == "é" * 32_768


NAMES: list[tuple[str, Make]] = [
    ("name", lambda x: requests.DescribeDomain(name=x)),
    ("workflow_id", lambda x: start(workflow_id=x)),
    ("name", lambda x: registration(name=x)),
    ("version", lambda x: registration(version=x)),
    ("task_list.name", lambda x: start(task_list=shapes.TaskList(name=x))),
    (
        "decisions[0] (CancelTimer).timer_id",
        lambda x: answer(decisions.CancelTimer(timer_id=x)),
    ),
]


@pytest.mark.parametrize("character", [*":/|", "\x00", "\x1f", "\x7f", "\x9f"])
@pytest.mark.parametrize(("path", "make"), NAMES)
def test_name_with_a_forbidden_character_is_refused(
    path: str, make: Make, character: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        body(make(f"a{character}b"))
    assert refused.value.argument == path
    assert repr(character) in refused.value.problem


@pytest.mark.parametrize(("path", "make"), NAMES)
def test_name_arn_is_refused_and_names_that_contain_it_are_not(
    path: str, make: Make
) -> None:
    with pytest.raises(InvalidArgument, match=r"is 'arn'.*choose another") as refused:
        body(make("arn"))
    assert refused.value.argument == path
    body(make("barn"))


@pytest.mark.parametrize("name", [" a", "a ", "\u00a0a"])
def test_domain_and_task_list_must_not_begin_or_end_with_a_space(name: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^name .* strip it"):
        body(requests.DescribeDomain(name=name))
    with pytest.raises(InvalidArgument, match=r"^task_list.name .* strip it"):
        body(start(task_list=shapes.TaskList(name=name)))
    assert body(start(workflow_id=name))["workflowId"] == name


def test_names_of_other_scripts_and_with_spaces_inside_are_fine() -> None:
    assert body(start(workflow_id="álbum 相册"))["workflowId"] == "álbum 相册"


@pytest.mark.parametrize(("path", "make"), [(p, m) for p, _, _, m in TEXTS])
@pytest.mark.parametrize("lone", ["\ud800", "a\udc80b", "é\ud83d"])
def test_lone_surrogate_is_refused_by_the_arguments_name(
    path: str, make: Make, lone: str
) -> None:
    """A text read with surrogateescape, say: JSON cannot carry it."""
    with pytest.raises(InvalidArgument, match=r"lone surrogate.*remove it") as refused:
        body(make(lone))
    assert refused.value.argument == path


def test_characters_beyond_the_first_plane_are_no_surrogates() -> None:
    assert body(start(input="\U0001f600"))["input"] == "\U0001f600"


def spoilt(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Put a lone surrogate into one text of a shape after the other."""
    if isinstance(value, str):
        yield path, "\ud800"
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            for where, made in spoilt(getattr(value, name), f"{path}.{name}"):
                yield where, msgspec.structs.replace(value, **{name: made})
    if isinstance(value, tuple):
        for index, item in enumerate(value):
            for where, made in spoilt(item, f"{path}[{index}]"):
                yield where, (*value[:index], made, *value[index + 1 :])


@pytest.mark.parametrize("operation", samples.operations())
def test_no_text_of_any_request_may_have_a_lone_surrogate(operation: str) -> None:
    sample = samples.request(operation)
    sample.pop("decisions", None)
    whole = msgspec.convert(sample, requests.OPERATIONS[operation])
    spoiled = list(spoilt(whole))
    assert spoiled
    for path, made in spoiled:
        with pytest.raises(InvalidArgument) as refused:
            body(made)
        assert refused.value.argument == path[1:]


@pytest.mark.parametrize("kind", decisions.DECISIONS)
def test_no_text_of_any_decision_may_have_a_lone_surrogate(kind: str) -> None:
    (attributes,) = (
        raw[f"{kind[0].lower()}{kind[1:]}DecisionAttributes"]
        for raw in samples.request("RespondDecisionTaskCompleted")["decisions"]
        if raw["decisionType"] == kind
    )
    whole = msgspec.convert(attributes, decisions.DECISIONS[kind])
    for path, made in spoilt(whole):
        with pytest.raises(InvalidArgument) as refused:
            body(answer(made))
        assert refused.value.argument == f"decisions[0] ({kind}){path}"

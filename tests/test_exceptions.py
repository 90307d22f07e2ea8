"""One root, typed faults, and words that say what to do."""

import copy

import pytest

from flowser import exceptions
from flowser.exceptions import (
    SERVICE_ERRORS,
    ConnectionFailed,
    Error,
    ExecutionError,
    ExecutionFailed,
    ExecutionTerminated,
    InvalidArgument,
    LimitExceededFault,
    ResponseLost,
    SerializationError,
    ServiceError,
    Throttled,
    UnknownResourceFault,
    WorkflowExecutionAlreadyStartedFault,
)

PUBLIC = [
    found
    for name, found in vars(exceptions).items()
    if isinstance(found, type)
    and issubclass(found, Exception)
    and not name.startswith("_")
]


@pytest.mark.parametrize("kind", PUBLIC)
def test_everything_stands_under_the_root_and_says_what_it_is(
    kind: type[Exception],
) -> None:
    assert issubclass(kind, Error)
    assert kind.__doc__


def test_errors_of_arguments_and_payloads_are_value_errors_too() -> None:
    assert issubclass(InvalidArgument, ValueError)
    assert issubclass(SerializationError, ValueError)


def test_misuse_is_a_runtime_error_too() -> None:
    assert issubclass(exceptions.TaskAlreadyAnswered, RuntimeError)
    assert issubclass(exceptions.NoDecisionTask, RuntimeError)


def test_refused_argument_says_argument_problem_and_remedy() -> None:
    error = InvalidArgument("decisions[2].input", "is too long", "shorten it")
    assert str(error) == "decisions[2].input is too long: shorten it"


def test_unreadable_payload_says_what_it_was_and_why() -> None:
    error = SerializationError("a payload of type set", "is no JSON")
    assert str(error) == "a payload of type set: is no JSON"


def test_fault_says_operation_code_and_message() -> None:
    fault = UnknownResourceFault("PollForDecisionTask", "UnknownResourceFault", "d")
    assert str(fault) == "PollForDecisionTask: UnknownResourceFault: d"
    assert (fault.operation, fault.code, fault.message) == (
        "PollForDecisionTask",
        "UnknownResourceFault",
        "d",
    )
    assert (fault.status, fault.request_id, fault.retried) == (400, None, False)


def test_fault_without_a_message_ends_with_its_code() -> None:
    assert str(Throttled("Op", "ThrottlingException")) == "Op: ThrottlingException"


def test_fault_after_a_lost_answer_says_that_it_may_be_an_echo() -> None:
    fault = UnknownResourceFault("Op", "UnknownResourceFault")
    fault.retried = True
    assert "may have succeeded" in str(fault)


def test_fault_of_an_id_that_runs_already_tells_the_id() -> None:
    fault = WorkflowExecutionAlreadyStartedFault("Op", "Code")
    assert fault.workflow_id == ""
    fault.workflow_id = "album-1"
    assert "workflow_id='album-1'" in str(fault)


def test_outcome_of_a_run_tells_its_ids_and_particulars() -> None:
    error = ExecutionFailed("album-1", "run-1", reason="full", details=None)
    assert str(error) == "album-1 (run run-1), reason='full'"
    assert isinstance(error, ExecutionError)
    ended = ExecutionTerminated("w", "r", cause="OPERATOR_INITIATED", details="d")
    assert (ended.cause, ended.reason, ended.details) == (
        "OPERATOR_INITIATED",
        None,
        "d",
    )


def test_every_modelled_fault_has_a_class_of_its_own_name() -> None:
    faults = {
        name: kind for name, kind in SERVICE_ERRORS.items() if name.endswith("Fault")
    }
    assert len(faults) == 11
    assert all(kind.__name__ == name for name, kind in faults.items())
    assert all(issubclass(kind, ServiceError) for kind in SERVICE_ERRORS.values())


@pytest.mark.parametrize(
    "error",
    [
        InvalidArgument("a", "b", "c"),
        SerializationError("a", "b"),
        ExecutionFailed("w", "r", reason="x", details="y"),
        ConnectionFailed("Op", "m"),
        ResponseLost("Op", "m"),
        LimitExceededFault("Op", "Code", "m", status=400, request_id="id"),
        WorkflowExecutionAlreadyStartedFault("Op", "Code"),
    ],
)
def test_error_survives_a_copy(error: Error) -> None:
    """Process pools and test runners copy exceptions by their arguments."""
    again = copy.copy(error)
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)

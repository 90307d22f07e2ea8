"""Everything flowser raises, under one root.

::

    Error
     ├─ EmptyTaskPollResult             a single poll ended without a task
     ├─ LastPage                        there is no further page
     ├─ InvalidArgument                 refused before it was sent (a ValueError)
     ├─ SerializationError              a payload cannot be written or read
     ├─ ConfigurationError              no region, no credentials, a wrong option
     ├─ TaskAlreadyAnswered             a task was answered before
     ├─ NoDecisionTask                  only a decider can do this
     ├─ BrokenHistory                   pages of a history do not fit together
     ├─ ExecutionError                  a run closed without a result
     │   ├─ ExecutionFailed, ExecutionTimedOut
     │   └─ ExecutionCanceled, ExecutionTerminated
     ├─ ConnectionFailed                a request did not reach SWF
     ├─ ResponseLost                    it may have reached SWF; no answer came back
     └─ ServiceError                    SWF answered with an error
         ├─ Throttled, InternalFailure, ValidationFailed, UnknownOperation
         ├─ AccessDenied, InvalidCredentials, ExpiredCredentials, ClockSkewed
         └─ the eleven faults of SWF, under their own names

Source:
    swf-semantics.md sections 1.2 to 1.4.
"""

from typing import Any


class Error(Exception):
    """Root of everything flowser raises."""


class EmptyTaskPollResult(Error):
    """A poll ended without a task."""


class LastPage(Error):
    """There is no page after this one."""


class InvalidArgument(Error, ValueError):
    """An argument that SWF would refuse.

    Attributes:
        argument: The name of the argument, with its path, such as
            ``decisions[2] (StartTimer).timer_id``.
        problem: What is wrong with it, and the limit.
        remedy: What to do instead.
    """

    def __init__(self, argument: str, problem: str, remedy: str) -> None:
        super().__init__(argument, problem, remedy)
        self.argument = argument
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.argument} {self.problem}: {self.remedy}"


class SerializationError(Error, ValueError):
    """A payload that cannot be written as text, or read from it.

    Attributes:
        subject: What was being written or read, without its content.
        problem: Why it cannot be.
    """

    def __init__(self, subject: str, problem: str) -> None:
        super().__init__(subject, problem)
        self.subject = subject
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.subject}: {self.problem}"


class ConfigurationError(Error):
    """Something that is needed before the first call is missing or wrong."""


class TaskAlreadyAnswered(Error, RuntimeError):
    """A task that was answered already, by this process."""


class NoDecisionTask(Error, RuntimeError):
    """Something that only the decider of a run can do, asked from elsewhere."""


class BrokenHistory(Error):
    """Pages of a history that do not fit together; the task must not be decided."""


class ExecutionError(Error):
    """A run that closed without a result.

    Attributes:
        workflow_id: The id of the execution.
        run_id: The run that closed (the last one, after continue-as-new).
    """

    def __init__(self, workflow_id: str, run_id: str, **particulars: Any) -> None:
        super().__init__(workflow_id, run_id)
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.particulars = particulars

    def __str__(self) -> str:
        known = ((k, v) for k, v in self.particulars.items() if v is not None)
        words = "".join(f", {name}={value!r}" for name, value in known)
        return f"{self.workflow_id} (run {self.run_id}){words}"


class ExecutionFailed(ExecutionError):
    """The decider failed the execution.

    Attributes:
        reason: At most 256 characters, or None.
        details: At most 32,768 characters, or None.
    """

    def __init__(
        self,
        workflow_id: str,
        run_id: str,
        *,
        reason: str | None = None,
        details: str | None = None,
    ) -> None:
        super().__init__(workflow_id, run_id, reason=reason, details=details)
        self.reason = reason
        self.details = details


class ExecutionTimedOut(ExecutionError):
    """The execution was open longer than its start-to-close timeout."""


class ExecutionCanceled(ExecutionError):
    """The decider closed the execution as canceled.

    Attributes:
        details: What the decider said, or None.
    """

    def __init__(
        self, workflow_id: str, run_id: str, *, details: str | None = None
    ) -> None:
        super().__init__(workflow_id, run_id, details=details)
        self.details = details


class ExecutionTerminated(ExecutionError):
    """Somebody, or SWF itself, terminated the execution.

    Attributes:
        cause: OPERATOR_INITIATED, CHILD_POLICY_APPLIED or EVENT_LIMIT_EXCEEDED.
        reason: At most 256 characters, or None.
        details: At most 32,768 characters, or None.
    """

    def __init__(
        self,
        workflow_id: str,
        run_id: str,
        *,
        cause: str | None = None,
        reason: str | None = None,
        details: str | None = None,
    ) -> None:
        super().__init__(
            workflow_id, run_id, cause=cause, reason=reason, details=details
        )
        self.cause = cause
        self.reason = reason
        self.details = details


class _CallError(Error):
    """One call that did not bring a result.

    Attributes:
        operation: The name of the SWF operation.
        message: What SWF, or the network, said.
    """

    def __init__(self, operation: str, message: str) -> None:
        super().__init__(operation, message)
        self.operation = operation
        self.message = message

    def __str__(self) -> str:
        return f"{self.operation}: {self.message}"


class ConnectionFailed(_CallError):
    """A request that did not reach SWF: nothing has happened there."""


class ResponseLost(_CallError):
    """A request that may have reached SWF, whose answer did not come back whole.

    After a poll, a task may have been handed out: SWF will time it out.

    Source:
        reliability.md section 0, items 1 to 4.
    """


class ServiceError(_CallError):
    """An error that SWF answered with.

    Attributes:
        operation: The name of the SWF operation.
        code: The error's name on the wire, without its namespace.
        message: What SWF said; may be empty.
        status: The HTTP status.
        request_id: SWF's id of the request, or None.
        retried: Whether an earlier attempt of the same call lost its answer, so that
            this error may be the echo of a success.
    """

    def __init__(
        self,
        operation: str,
        code: str,
        message: str = "",
        *,
        status: int = 400,
        request_id: str | None = None,
    ) -> None:
        super().__init__(operation, message)
        self.code = code
        self.status = status
        self.request_id = request_id
        self.retried = False

    def __str__(self) -> str:
        words = f"{self.operation}: {self.code}"
        words += f": {self.message}" if self.message else ""
        if self.retried:
            words += " (an earlier attempt lost its answer and may have succeeded)"
        return words


class Throttled(ServiceError):
    """SWF's token bucket for this operation is empty: wait, then call again."""


class InternalFailure(ServiceError):
    """SWF failed (HTTP 5xx): call again."""


class ValidationFailed(ServiceError):
    """SWF refused a request that flowser let through."""


class UnknownOperation(ServiceError):
    """The endpoint does not know the operation (not SWF, or only part of it)."""


class AccessDenied(ServiceError):
    """The credentials are not allowed to do this: see the IAM policy."""


class InvalidCredentials(ServiceError):
    """The credentials, or the signature made with them, are not accepted."""


class ExpiredCredentials(ServiceError):
    """The credentials expired before they were refreshed."""


class ClockSkewed(ServiceError):
    """This machine's clock differs from SWF's by minutes: set the clock."""

    def __str__(self) -> str:
        return f"{super().__str__()} (clock skew: set the clock of this machine)"


class DefaultUndefinedFault(ServiceError):
    """The type has no default for something that the start left out."""


class DomainAlreadyExistsFault(ServiceError):
    """The domain is registered already; it may be deprecated."""


class DomainDeprecatedFault(ServiceError):
    """The domain is deprecated: nothing new can be registered or started in it."""


class LimitExceededFault(ServiceError):
    """A quota of SWF is used up: domains, types, open executions, or pollers."""


class OperationNotPermittedFault(ServiceError):
    """The caller may not do this: see the IAM policy."""


class TooManyTagsFault(ServiceError):
    """A domain can have fifty tags."""


class TypeAlreadyExistsFault(ServiceError):
    """A type of this name and version is registered already; perhaps deprecated."""


class TypeDeprecatedFault(ServiceError):
    """The type is deprecated: nothing new can be started with it."""


class TypeNotDeprecatedFault(ServiceError):
    """A type can be deleted only after it was deprecated."""


class UnknownResourceFault(ServiceError):
    """The domain, type, execution or task is not there, or is over."""


class WorkflowExecutionAlreadyStartedFault(ServiceError):
    """An open execution has this workflow id.

    Attributes:
        workflow_id: The id that is taken; empty when the call does not tell.
    """

    workflow_id = ""

    def __str__(self) -> str:
        words = super().__str__()
        return f"{words} (workflow_id={self.workflow_id!r})"


_FAULTS: tuple[type[ServiceError], ...] = (
    DefaultUndefinedFault,
    DomainAlreadyExistsFault,
    DomainDeprecatedFault,
    LimitExceededFault,
    OperationNotPermittedFault,
    TooManyTagsFault,
    TypeAlreadyExistsFault,
    TypeDeprecatedFault,
    TypeNotDeprecatedFault,
    UnknownResourceFault,
    WorkflowExecutionAlreadyStartedFault,
)

#: Which exception stands for which error on the wire.
SERVICE_ERRORS: dict[str, type[ServiceError]] = {
    **{fault.__name__: fault for fault in _FAULTS},
    "ThrottlingException": Throttled,
    "Throttling": Throttled,
    "ThrottledException": Throttled,
    "RequestThrottledException": Throttled,
    "RequestThrottled": Throttled,
    "TooManyRequestsException": Throttled,
    "RequestLimitExceeded": Throttled,
    "BandwidthLimitExceeded": Throttled,
    "SlowDown": Throttled,
    "InternalFailure": InternalFailure,
    "InternalServerError": InternalFailure,
    "InternalError": InternalFailure,
    "ServiceUnavailable": InternalFailure,
    "ServiceUnavailableException": InternalFailure,
    "ValidationException": ValidationFailed,
    "ValidationError": ValidationFailed,
    "SerializationException": ValidationFailed,
    "UnknownOperationException": UnknownOperation,
    "UnknownOperation": UnknownOperation,
    "AccessDeniedException": AccessDenied,
    "AccessDenied": AccessDenied,
    "NotAuthorized": AccessDenied,
    "OptInRequired": AccessDenied,
    "UnrecognizedClientException": InvalidCredentials,
    "InvalidClientTokenId": InvalidCredentials,
    "InvalidSignatureException": InvalidCredentials,
    "SignatureDoesNotMatch": InvalidCredentials,
    "IncompleteSignature": InvalidCredentials,
    "IncompleteSignatureException": InvalidCredentials,
    "MissingAuthenticationToken": InvalidCredentials,
    "MissingAuthenticationTokenException": InvalidCredentials,
    "ExpiredToken": ExpiredCredentials,
    "ExpiredTokenException": ExpiredCredentials,
    "RequestExpired": ExpiredCredentials,
    "RequestTimeTooSkewed": ClockSkewed,
    "RequestInTheFuture": ClockSkewed,
}

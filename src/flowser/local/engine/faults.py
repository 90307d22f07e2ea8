"""The errors that SWF answers with: names, messages and HTTP status.

Source:
    swf-semantics.md sections 1.2 to 1.4.
"""

import msgspec

from flowser import shapes

_SWF = "com.amazonaws.swf.base.model"
_CORAL = "com.amazon.coral"


class Fault(Exception):
    """An error, as it goes over the wire.

    Attributes:
        type: The whole ``__type``, with its name space.
        message: None leaves it out of the body.
        status: The HTTP status.
    """

    def __init__(self, type: str, message: str | None, status: int = 400) -> None:
        super().__init__(type, message)
        self.type = type
        self.message = message
        self.status = status

    @property
    def name(self) -> str:
        """The name that SDKs use: what follows the ``#``."""
        return self.type.rpartition("#")[2]

    @property
    def body(self) -> bytes:
        """The error as JSON."""
        error = {"__type": self.type}
        if self.message is not None:
            error["message"] = self.message
        return msgspec.json.encode(error)


def modeled(name: str, message: str | None) -> Fault:
    """Make one of the eleven faults of SWF's model: ``TypeDeprecatedFault``."""
    return Fault(f"{_SWF}#{name}", message)


def invalid(message: str) -> Fault:
    """Make a ValidationException; the text is SWF's."""
    return Fault(f"{_CORAL}.validate#ValidationException", message)


def serialization(message: str) -> Fault:
    """Make the answer to JSON that is broken, or of a wrong type."""
    return Fault(f"{_CORAL}.service#SerializationException", message)


def unknown_operation() -> Fault:
    """Make the answer to a target that is no operation of SWF."""
    return Fault(f"{_CORAL}.service#UnknownOperationException", None)


def throttled() -> Fault:
    """Make the answer to a caller whose token bucket is empty."""
    return Fault(f"{_CORAL}.availability#ThrottlingException", "Rate exceeded")


def internal() -> Fault:
    """Make the answer when the server itself failed; it tells nothing more."""
    return Fault(f"{_CORAL}.service#InternalFailure", None, 500)


def limit(message: str) -> Fault:
    """Make a LimitExceededFault."""
    return modeled("LimitExceededFault", message)


def unknown(what: str) -> Fault:
    """Make an UnknownResourceFault; *what* is the whole message (section 1.3)."""
    return modeled("UnknownResourceFault", what)


def unknown_domain(name: str) -> Fault:
    """Say that there is no domain of this name."""
    return unknown(f"Unknown domain: {name}")


def unknown_run(workflow_id: str, run_id: str | None) -> Fault:
    """Say that there is no such execution, or that it is closed."""
    if not run_id:
        return unknown(f"Unknown execution, workflowId = {workflow_id}")
    named = f"WorkflowExecution=[workflowId={workflow_id}, runId={run_id}]"
    return unknown(f"Unknown execution: {named}")


def type_text(kind: str, type: shapes.WorkflowType | shapes.ActivityType) -> str:
    """Name a type as SWF's messages do; *kind* is "workflow" or "activity"."""
    return f"{kind.capitalize()}Type=[name={type.name}, version={type.version}]"


def invalid_token() -> Fault:
    """Say that a task token or a page token is no token of ours."""
    return invalid("Invalid token")

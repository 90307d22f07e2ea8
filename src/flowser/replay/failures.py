"""What is raised at an ``await`` when an operation did not bring a result.

::

    Error
     └─ OperationFailed
         ├─ ActivityFailed, ActivityTimedOut, ActivityCanceled
         ├─ ChildFailed, ChildTimedOut, ChildCanceled, ChildTerminated
         ├─ FunctionFailed, FunctionTimedOut        a Lambda function
         ├─ ExternalFailed                          a signal or a cancel request
         ├─ StepFailed
         └─ DecisionFailed                          SWF refused the decision

What was raised elsewhere is the ``__cause__``, as a :class:`RemoteError`; and
``error.is_a("app.errors.CardDeclined")`` tests it by name, for the class itself may not
be known here.

Source:
    swf-semantics.md sections 1.5, 3.2 and 4.
"""

import msgspec

from flowser.exceptions import Error


class Description(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An exception as JSON: the details of a failure.

    Attributes:
        fv: The version of the format.
        type: The qualified name of its class.
        message: Its message.
        bases: The qualified names of its class's bases.
        traceback: Where it was raised; the middle of a long one is left out.
        heartbeat: What the activity that failed had told last of its progress.
        cause: What led to it.
    """

    fv: int = 0
    type: str = ""
    message: str = ""
    bases: list[str] = []
    traceback: str = ""
    heartbeat: str | None = None
    cause: "Description | None" = None


_descriptions = msgspec.json.Decoder(Description)


class RemoteError(Error):
    """An exception that was raised elsewhere, as far as it was told.

    Attributes:
        type: The qualified name of its class, or as much as is known of it.
        message: Its message.
        bases: The qualified names of its class's bases.
        traceback: Where it was raised, as text.
        heartbeat: What the activity that raised it had told last of its progress.
    """

    heartbeat: str | None = None

    def __init__(
        self, type: str, message: str, bases: tuple[str, ...] = (), traceback: str = ""
    ) -> None:
        super().__init__(type, message)
        self.type = type
        self.message = message
        self.bases = bases
        self.traceback = traceback

    def __str__(self) -> str:
        words = f"{self.type}: {self.message}" if self.message else self.type
        return f"{words}\n{self.traceback.rstrip()}" if self.traceback else words

    def is_a(self, kind: "str | type[BaseException]") -> bool:
        """Tell whether it was of a class, or of one derived from it.

        Args:
            kind: The class; or its name, qualified or not.
        """
        if isinstance(kind, str):
            bare = "." not in kind
            return any(
                kind == (name.rpartition(".")[2] if bare else name)
                for name in (self.type, *self.bases)
            )
        qualified = f"{kind.__module__}.{kind.__qualname__}"
        names = (self.type, *self.bases)
        # Others than flowser tell the bare name only.
        return qualified in names or kind.__qualname__ in names


def remote(reason: str | None, details: str | None) -> RemoteError | None:
    """Read what is told of an exception; None when nothing is.

    Args:
        reason: ``"ValueError: no such order"``, or anything.
        details: A :class:`Description` as JSON, or anything.
    """
    try:
        found = _descriptions.decode(details or "")
    except (msgspec.MsgspecError, RecursionError):
        found = Description()
    if found.fv:
        return _raised(found)
    if not reason:
        return None
    type, _, message = reason.partition(": ")
    if not type.replace(".", "").replace("_", "").isalnum():
        type, message = "Exception", reason
    return RemoteError(type, message, traceback=details or "")


def _raised(found: Description) -> RemoteError:
    error = RemoteError(found.type, found.message, tuple(found.bases), found.traceback)
    error.heartbeat = found.heartbeat
    if found.cause is not None:
        error.__cause__ = _raised(found.cause)
    return error


class OperationFailed(Error):
    """An operation did not bring a result.

    Attributes:
        id: Its number in the workflow: ``2.1``.
        name: What it was: the name of the activity, say.
    """

    def __init__(self, id: str, name: str, *more: object) -> None:
        super().__init__(id, name, *more)
        self.id = id
        self.name = name

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"


class _Reasoned(OperationFailed):
    """Something failed that tells why.

    Attributes:
        reason: At most 256 characters, or None.
        details: At most 32,768 characters, or None.
    """

    def __init__(
        self,
        id: str,
        name: str,
        reason: str | None = None,
        details: str | None = None,
    ) -> None:
        super().__init__(id, name, reason, details)
        self.reason = reason
        self.details = details
        self.__cause__ = remote(reason, details)

    def __str__(self) -> str:
        cause = self.__cause__
        why = self.reason or (cause.type if isinstance(cause, RemoteError) else "")
        return f"{super().__str__()}: {why}" if why else super().__str__()

    def is_a(self, kind: str | type[BaseException]) -> bool:
        """Tell whether it failed with an exception of this class.

        Args:
            kind: The class; or its name, qualified (``"app.CardDeclined"``) or not.
        """
        cause = self.__cause__
        return isinstance(cause, RemoteError) and cause.is_a(kind)


class _Timed(OperationFailed):
    """A clock ran out.

    Attributes:
        kind: Which: START_TO_CLOSE, SCHEDULE_TO_START, SCHEDULE_TO_CLOSE, HEARTBEAT.
        details: What the last heartbeat told, or None.
    """

    def __init__(
        self, id: str, name: str, kind: str, details: str | None = None
    ) -> None:
        super().__init__(id, name, kind, details)
        self.kind = kind
        self.details = details

    def __str__(self) -> str:
        return f"{super().__str__()}: {self.kind}"


class _Ended(OperationFailed):
    """It was canceled, or terminated.

    Attributes:
        details: What was told, or None.
    """

    def __init__(self, id: str, name: str, details: str | None = None) -> None:
        super().__init__(id, name, details)
        self.details = details


class ActivityFailed(_Reasoned):
    """An activity failed; after its last attempt, where it is retried."""

    @property
    def heartbeat(self) -> str | None:
        """What it had told last of its progress, when a worker of flowser says so."""
        cause = self.__cause__
        return cause.heartbeat if isinstance(cause, RemoteError) else None


class ActivityTimedOut(_Timed):
    """A clock of an activity ran out."""

    @property
    def heartbeat(self) -> str | None:
        """What it had told last of its progress."""
        return self.details


class ActivityCanceled(_Ended):
    """An activity was canceled that this workflow did not ask to be canceled."""


class ChildFailed(_Reasoned):
    """A child workflow failed."""


class ChildTimedOut(_Timed):
    """A child workflow was open for too long."""


class ChildCanceled(_Ended):
    """A child workflow was canceled that this workflow did not ask to cancel."""


class ChildTerminated(_Ended):
    """A child workflow was terminated."""


class FunctionFailed(_Reasoned):
    """A Lambda function failed."""


class FunctionTimedOut(_Timed):
    """A Lambda function ran for too long."""


class StepFailed(_Reasoned):
    """A step raised an exception."""


class DecisionFailed(OperationFailed):
    """SWF refused a decision.

    Attributes:
        cause: SWF's cause: ACTIVITY_TYPE_DOES_NOT_EXIST, say.
    """

    def __init__(self, id: str, name: str, cause: str) -> None:
        super().__init__(id, name, cause)
        self.cause = cause

    def __str__(self) -> str:
        return f"{super().__str__()}: {self.cause}"


class ExternalFailed(DecisionFailed):
    """A signal, or a cancel request, did not reach the other execution."""

"""What stops a replay: never the fault of one run, so never a reason to fail it.

A :class:`Trouble` leaves the decision unanswered: SWF hands the task out again, and a
worker with the right code goes on where the history ends.

::

    Error
     ├─ NotReplayable        code asked for a thread, a socket ... (an ordinary error)
     └─ Trouble
         ├─ NonDeterminism   the code does not do what the history says that it did
         ├─ Undecodable      a payload of the history is not what the code expects
         ├─ UnknownFormat    the history was written by a later flowser
         ├─ StaleRun         a cached run has done what the history does not know of
         ├─ Refused          SWF does not let this decider do what replay stands on
         └─ Spinning         code that goes on and on without waiting for SWF

Source:
    DESIGN section 3 (exceptions in workflow code); dx.md section 1.2.
"""

from flowser.exceptions import Error

#: Remedies for what cannot be replayed; the lint of `flow` gives the same.
ACTIVITY = "make it an activity"
TASKS = "pass it tasks, or what .start() gives"


class NotReplayable(Error, RuntimeError):
    """Workflow code asked for something that would not be the same again.

    Attributes:
        what: What it asked for.
        remedy: What to do instead.
    """

    def __init__(self, what: str, remedy: str = ACTIVITY) -> None:
        super().__init__(what, remedy)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what} cannot be replayed in a workflow: {self.remedy}"


class Trouble(Error):
    """A decision that could not be made; in SWF the run is as it was."""


class NonDeterminism(Trouble):
    """The code does not do what the history says that it did.

    Attributes:
        report: History against code, with event ids, source lines and remedies.
    """

    def __init__(self, report: str) -> None:
        super().__init__(report)
        self.report = report

    def __str__(self) -> str:
        return self.report


class Undecodable(Trouble):
    """A payload of the history is not what the code expects.

    Attributes:
        event_id: The event that brought it.
        problem: What is wrong with it.
    """

    def __init__(self, event_id: int, problem: str) -> None:
        super().__init__(event_id, problem)
        self.event_id = event_id
        self.problem = problem

    def __str__(self) -> str:
        return f"event {self.event_id} cannot be read: {self.problem}"


class UnknownFormat(Trouble):
    """The history was written by a later flowser.

    Attributes:
        found: Its version.
        known: The version known here.
    """

    def __init__(self, found: int, known: int) -> None:
        super().__init__(found, known)
        self.found = found
        self.known = known

    def __str__(self) -> str:
        words = f"the history has format {self.found}, known here is {self.known}"
        return f"{words}: serve the run with a later flowser"


class StaleRun(Trouble):
    """A cached run has done what the history does not know of: replay it anew."""


class Refused(Trouble):
    """SWF does not let this decider do what replay stands on.

    Attributes:
        what: The decision.
        cause: SWF's cause.
    """

    def __init__(self, what: str, cause: str) -> None:
        super().__init__(what, cause)
        self.what = what
        self.cause = cause

    def __str__(self) -> str:
        return f"SWF refused {self.what} with {self.cause}: see the IAM policy"


class Spinning(Trouble):
    """Workflow code that goes on and on without waiting for SWF.

    Attributes:
        budget: How many callbacks it had.
        stacks: Where each of its tasks is.
    """

    def __init__(self, budget: int, stacks: str = "") -> None:
        super().__init__(budget, stacks)
        self.budget = budget
        self.stacks = stacks

    def __str__(self) -> str:
        words = (
            f"workflow code made {self.budget:,} steps without waiting for SWF: "
            "await an activity, a timer or a signal in its loop"
        )
        return f"{words}\n{self.stacks}" if self.stacks else words

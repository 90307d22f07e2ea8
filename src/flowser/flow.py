"""Coroutine workflows: plain asyncio code that survives its process.

::

    @flow.activity(version="1.0", task_list="payments", retry=flow.Retry(attempts=5))
    async def charge(order_id: str, amount: Decimal) -> str: ...

    @flow.workflow(version="1.0", task_list="orders")
    async def order(order_id: str, amount: Decimal) -> str:
        approvals = flow.signals("approve", str)
        try:
            async with asyncio.timeout(86_400):          # an SWF timer
                await approvals.receive()                # an SWF signal
        except TimeoutError:
            return "expired"
        return await charge(order_id, amount=amount)     # an SWF activity

The code is replayed from its history whenever a worker does not have it in memory. So
it reads no clock, takes no chances and does no I/O but by the verbs of this module.
What does is named, with file and line, when a domain is registered or served, and by
:func:`lint`.

Source:
    DESIGN section 6.
"""

from flowser._flow.activities import Activity, activity
from flowser._flow.current import NotInWorkflow
from flowser._flow.externals import (
    Execution,
    LambdaFunction,
    external,
    lambda_function,
)
from flowser._flow.hosting import Program
from flowser._flow.linting import Finding, LintFailed, lint
from flowser._flow.logs import ReplayFilter
from flowser._flow.mapping import amap
from flowser._flow.options import ActivityOptions, ChildOptions
from flowser._flow.signals import Signals, on_signal, signals
from flowser._flow.verbs import (
    Info,
    info,
    mark,
    now,
    patched,
    random,
    set_status,
    step,
    uuid4,
)
from flowser._flow.workflows import Workflow, continue_as_new, workflow
from flowser.replay.activities import Activity as ActivityHandle
from flowser.replay.failures import (
    ActivityCanceled,
    ActivityFailed,
    ActivityTimedOut,
    ChildCanceled,
    ChildFailed,
    ChildTerminated,
    ChildTimedOut,
    DecisionFailed,
    ExternalFailed,
    FunctionFailed,
    FunctionTimedOut,
    OperationFailed,
    RemoteError,
    StepFailed,
)
from flowser.replay.outgoing import Child as ChildHandle
from flowser.replay.retrying import Retry
from flowser.replay.troubles import (
    NonDeterminism,
    NotReplayable,
    Spinning,
    Trouble,
    Undecodable,
)

__all__ = [
    "Activity",
    "ActivityCanceled",
    "ActivityFailed",
    "ActivityHandle",
    "ActivityOptions",
    "ActivityTimedOut",
    "ChildCanceled",
    "ChildFailed",
    "ChildHandle",
    "ChildOptions",
    "ChildTerminated",
    "ChildTimedOut",
    "DecisionFailed",
    "Execution",
    "ExternalFailed",
    "Finding",
    "FunctionFailed",
    "FunctionTimedOut",
    "Info",
    "LambdaFunction",
    "LintFailed",
    "NonDeterminism",
    "NotInWorkflow",
    "NotReplayable",
    "OperationFailed",
    "Program",
    "RemoteError",
    "ReplayFilter",
    "Retry",
    "Signals",
    "Spinning",
    "StepFailed",
    "Trouble",
    "Undecodable",
    "Workflow",
    "activity",
    "amap",
    "continue_as_new",
    "external",
    "info",
    "lambda_function",
    "lint",
    "mark",
    "now",
    "on_signal",
    "patched",
    "random",
    "set_status",
    "signals",
    "step",
    "uuid4",
    "workflow",
]

"""Replays of saved histories: whether today's code goes on with the runs of yesterday.

Source:
    issue 4 section 4; dx.md section 2 (replay tests).
"""

from typing import Any

from flowser import flow, serializing, types
from flowser._flow.declaring import Nowhere
from flowser._flow.recording import recorded, silenced
from flowser.events import WorkflowExecutionStarted
from flowser.exceptions import InvalidArgument
from flowser.flow import NonDeterminism, Program, Trouble
from flowser.replay.run import Run
from flowser.shapes import WorkflowExecution
from flowser.testing.histories import History, Saved, read
from flowser.types import AnyWorkflow

_NO_IDS = """\
The history does not say whose it is, so flow.random() was not what it was then: save \
it by save_history(handle, path), or write \
"execution": {"workflowId": ..., "runId": ...} into its file.\
"""


def replay(
    workflow: AnyWorkflow,
    history: History,
    *,
    serializer: serializing.Serializer = serializing.JSON,
) -> None:
    """Replay a history against today's code: silent when the code agrees.

    ::

        def test_orders_of_last_year_can_still_be_decided():
            replay(order, "tests/histories/order-7.json")

    What the code decides is compared with what the history says that was decided, up to
    its end, be the run open or closed. Nothing is sent, no activity is run, log records
    of the code are dropped.

    Args:
        workflow: A decorated function, or a class with ``run``.
        history: A file of :func:`save_history` or the AWS CLI; what
            :func:`load_history` gave; what a plain client answered to
            GetWorkflowExecutionHistory, as one page or a list of all of them.
        serializer: Of the domain, if it is not JSON.

    Raises:
        NonDeterminism: With a report of history against code.
        Trouble: When it cannot be replayed for another reason (:mod:`flowser.flow`).
        BrokenHistory: When its events do not fit together.
        InvalidArgument: When *history* is none, or one of another type, or *workflow*
            is no coroutine workflow.
    """
    kind = described(workflow).type
    saved = read(history)
    _check_type(kind, saved)
    replay_saved(kind, saved, serializer)


def replay_saved(
    kind: type[types.Workflow], saved: Saved, serializer: serializing.Serializer
) -> None:
    """Replay a history of a type; see :func:`replay`."""
    domain = Nowhere()
    domain.serializer = serializer
    ids = saved.execution or WorkflowExecution(workflow_id=saved.name, run_id="unknown")
    run = Run(ids.workflow_id, ids.run_id, Program(kind, domain))
    with recorded(), silenced():
        try:
            run.feed(saved.events)
            run.catch_up()
        except NonDeterminism as error:
            if saved.execution is None and flow.random in run.locals:
                error.add_note(_NO_IDS)
            raise
        except SystemExit as error:  # of the code, not of this process
            raise Trouble(f"workflow code raises {error!r}") from error
        finally:
            run.end()


def described(workflow: Any) -> flow.Workflow[..., Any]:
    """Give the description of a coroutine workflow; a class may have none.

    Raises:
        InvalidArgument: When it is none, with the remedy.
    """
    if isinstance(workflow, flow.Workflow):
        return workflow
    name = getattr(workflow, "__qualname__", repr(workflow))
    if not (isinstance(workflow, type) and issubclass(workflow, types.Workflow)):
        raise InvalidArgument(name, "is no workflow", "decorate it by flow.workflow")
    if getattr(workflow, "run", None) is None and hasattr(workflow, "decide"):
        remedy = "only workflows with async def run are replayed"
        raise InvalidArgument(name, "is decided by decide()", remedy)
    decorate: Any = flow.workflow
    found: flow.Workflow[..., Any] = decorate(workflow)
    return found


def started(saved: Saved) -> WorkflowExecutionStarted:
    """Give how a run was started.

    Raises:
        InvalidArgument: When the history does not tell.
    """
    attributes = saved.events[0].attributes
    if not isinstance(attributes, WorkflowExecutionStarted):
        problem = f"begins with {saved.events[0].type}"
        remedy = "give a whole history, from WorkflowExecutionStarted"
        raise InvalidArgument(saved.name, problem, remedy)
    return attributes


def _check_type(kind: type[types.Workflow], saved: Saved) -> None:
    found = started(saved).workflow_type
    if found != kind.workflow_type():
        problem = f"is the history of a run of {found.name} {found.version}"
        remedy = f"give one of {kind.name} {kind.version}, or that workflow"
        raise InvalidArgument(saved.name, problem, remedy)

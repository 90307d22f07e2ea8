"""Collecting decisions: a method for each that does not close the run.

Source:
    swf-semantics.md sections 3.2 and 3.3.
"""

from typing import Any, Self

from flowser import decisions as swf
from flowser import serializing
from flowser._answers import Answerable
from flowser._settings import checked
from flowser.exceptions import InvalidArgument
from flowser.limits import Duration, duration
from flowser.types import Activity, AnyActivity, AnyWorkflow, Workflow


class Collecting(Answerable):
    """Collects decisions; every method returns the task, so that calls chain.

    Attributes:
        decisions: What was collected, in order.
    """

    decisions: list[swf.Decision]

    def add(self, decision: swf.Decision) -> Self:
        """Collect any decision of :mod:`flowser.decisions`.

        Args:
            decision: An instance of one of the 13 classes.

        Raises:
            InvalidArgument: When it is none.
        """
        if type(decision) not in swf.DECISIONS.values():
            remedy = "pass an instance of a class of flowser.decisions"
            raise InvalidArgument("decision", f"is {decision!r}", remedy)
        self.decisions.append(decision)
        return self

    def schedule(self, activity_type: AnyActivity, *args: Any, **kwargs: Any) -> Self:
        """Schedule activity.

        Internally, this method calls the schedule classmethod on the activity type
        with the given args and kwargs.

        Args:
            activity_type: Subclass of types.Activity.
            *args: For its ``schedule``; usually the input.
            **kwargs: For its ``schedule``.
        """
        kind = checked(activity_type, Activity, "activity_type")
        with serializing.using(self.domain.serializer):
            return self.add(kind.schedule(*args, **kwargs))

    def start_child(
        self, workflow_type: AnyWorkflow, *args: Any, **kwargs: Any
    ) -> Self:
        """Start child workflow.

        Internally, this method calls the start_child classmethod on the workflow type
        with the given args and kwargs.

        Args:
            workflow_type: Subclass of types.Workflow.
            *args: For its ``start_child``; usually the input.
            **kwargs: For its ``start_child``.
        """
        kind = checked(workflow_type, Workflow, "workflow_type")
        with serializing.using(self.domain.serializer):
            return self.add(kind.start_child(*args, **kwargs))

    def mark(self, name: str, details: str | None = None) -> Self:
        """Adds a RecordMarker decision.

        Args:
            name: 1 to 256 characters; need not be unique.
            details: At most 32,768 characters.
        """
        return self.add(swf.RecordMarker(marker_name=name, details=details))

    def start_timer(
        self, timer_id: str, seconds: Duration, control: str | None = None
    ) -> Self:
        """Ask to be woken.

        Args:
            timer_id: Unique among the open timers of the run.
            seconds: Digits, an int or a timedelta; 0 wakes at once.
            control: A note to yourself, at most 32,768 characters.
        """
        fires = duration(seconds, "seconds")
        if fires is None:
            raise InvalidArgument("seconds", "is missing", "pass it; 0 wakes at once")
        return self.add(
            swf.StartTimer(
                timer_id=timer_id,
                start_to_fire_timeout=fires,
                control=control,
            )
        )

    def cancel_timer(self, timer_id: str) -> Self:
        """Stop an open timer."""
        return self.add(swf.CancelTimer(timer_id=timer_id))

    def request_cancel_activity(self, activity_id: str) -> Self:
        """Ask for an open activity task to be canceled; its next heartbeat tells."""
        return self.add(swf.RequestCancelActivityTask(activity_id=activity_id))

    def signal_external(
        self,
        workflow_id: str,
        name: str,
        input: Any = None,
        *,
        run_id: str | None = None,
        control: str | None = None,
    ) -> Self:
        """Send a signal to another execution of the domain.

        Args:
            workflow_id: Its id.
            name: The name of the signal, 1 to 256 characters.
            input: Any object that the domain's serializer can write; None for none.
            run_id: Its run; None for whatever run is open.
            control: A note to yourself, at most 32,768 characters.
        """
        text = None if input is None else self.domain.serializer.dumps(input)
        return self.add(
            swf.SignalExternalWorkflowExecution(
                workflow_id=workflow_id,
                run_id=run_id,
                signal_name=name,
                input=text,
                control=control,
            )
        )

    def request_cancel_external(
        self,
        workflow_id: str,
        *,
        run_id: str | None = None,
        control: str | None = None,
    ) -> Self:
        """Ask another execution of the domain to cancel itself.

        Args:
            workflow_id: Its id.
            run_id: Its run; None for whatever run is open.
            control: A note to yourself, at most 32,768 characters.
        """
        return self.add(
            swf.RequestCancelExternalWorkflowExecution(
                workflow_id=workflow_id, run_id=run_id, control=control
            )
        )

    def schedule_lambda(
        self,
        id: str,
        name: str,
        input: Any = None,
        *,
        control: str | None = None,
        start_to_close_timeout: Duration | None = None,
    ) -> Self:
        """Ask for a Lambda function to be invoked.

        Args:
            id: Unique among the open functions of the run.
            name: The function's name, at most 64 characters.
            input: Any object that the domain's serializer can write; None for none.
            control: A note to yourself, at most 32,768 characters.
            start_to_close_timeout: 1 to 900 seconds; None is 900.
        """
        text = None if input is None else self.domain.serializer.dumps(input)
        return self.add(
            swf.ScheduleLambdaFunction(
                id=id,
                name=name,
                input=text,
                control=control,
                start_to_close_timeout=duration(
                    start_to_close_timeout, "start_to_close_timeout"
                ),
            )
        )


def check_closing(collected: tuple[swf.Decision, ...]) -> None:
    """Refuse lists that SWF would refuse as a whole (semantics 3.3)."""
    closing = [i for i, d in enumerate(collected) if isinstance(d, swf.CLOSING)]
    if not closing:
        return
    if closing != [len(collected) - 1]:
        name = type(collected[closing[0]]).__name__
        problem = f"is {name}, which must be the last decision, and the only one"
        raise InvalidArgument(f"decisions[{closing[0]}]", problem, "close once, last")
    for index, decision in enumerate(collected):
        if isinstance(decision, swf.OPENING):
            name, close = type(decision).__name__, type(collected[-1]).__name__
            problem = f"is {name}, which SWF refuses together with {close}"
            raise InvalidArgument(f"decisions[{index}]", problem, "send one of the two")

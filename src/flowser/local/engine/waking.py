"""Which events wake the decider, and which close the run.

Source:
    swf-semantics.md section 4, column W. The rows that it calls inferred are chosen as
    it suggests: what a decider asked for and did not get, wakes it.
"""

from flowser import events as e

#: The close status of a run, by the class of its closing event.
CLOSING: dict[type[e.Attributes], str] = {
    e.WorkflowExecutionCompleted: "COMPLETED",
    e.WorkflowExecutionFailed: "FAILED",
    e.WorkflowExecutionCanceled: "CANCELED",
    e.WorkflowExecutionTerminated: "TERMINATED",
    e.WorkflowExecutionContinuedAsNew: "CONTINUED_AS_NEW",
    e.WorkflowExecutionTimedOut: "TIMED_OUT",
}

#: These wake the decider.
WAKING: frozenset[type[e.Attributes]] = frozenset(
    {
        e.ActivityTaskCanceled,
        e.ActivityTaskCompleted,
        e.ActivityTaskFailed,
        e.ActivityTaskTimedOut,
        e.CancelTimerFailed,
        e.ChildWorkflowExecutionCanceled,
        e.ChildWorkflowExecutionCompleted,
        e.ChildWorkflowExecutionFailed,
        e.ChildWorkflowExecutionStarted,
        e.ChildWorkflowExecutionTerminated,
        e.ChildWorkflowExecutionTimedOut,
        e.ContinueAsNewWorkflowExecutionFailed,
        e.DecisionTaskTimedOut,
        e.ExternalWorkflowExecutionCancelRequested,
        e.ExternalWorkflowExecutionSignaled,
        e.LambdaFunctionCompleted,
        e.LambdaFunctionFailed,
        e.LambdaFunctionTimedOut,
        e.RecordMarkerFailed,
        e.RequestCancelActivityTaskFailed,
        e.RequestCancelExternalWorkflowExecutionFailed,
        e.ScheduleActivityTaskFailed,
        e.ScheduleLambdaFunctionFailed,
        e.SignalExternalWorkflowExecutionFailed,
        e.StartChildWorkflowExecutionFailed,
        e.StartLambdaFunctionFailed,
        e.StartTimerFailed,
        e.TimerFired,
        e.WorkflowExecutionCancelRequested,
        e.WorkflowExecutionSignaled,
        e.WorkflowExecutionStarted,
    }
)

#: These do not. A close that failed needs no row above: a task is pending already, or
#: the cause is another than UNHANDLED_DECISION, which is ContinueAsNew's alone.
QUIET: frozenset[type[e.Attributes]] = frozenset(
    {
        e.ActivityTaskCancelRequested,
        e.ActivityTaskScheduled,
        e.ActivityTaskStarted,
        e.CancelWorkflowExecutionFailed,
        e.CompleteWorkflowExecutionFailed,
        e.DecisionTaskCompleted,
        e.DecisionTaskScheduled,
        e.DecisionTaskStarted,
        e.FailWorkflowExecutionFailed,
        e.LambdaFunctionScheduled,
        e.LambdaFunctionStarted,
        e.MarkerRecorded,
        e.RequestCancelExternalWorkflowExecutionInitiated,
        e.SignalExternalWorkflowExecutionInitiated,
        e.StartChildWorkflowExecutionInitiated,
        e.TimerCanceled,
        e.TimerStarted,
    }
)

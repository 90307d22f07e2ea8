"""Where the settings of an activity task or an execution come from.

Source: swf-semantics.md, sections 1.2 (DefaultUndefinedFault) and 3.2.
"""

import re

from tests.support.mini_pages import Params

# Member of the request or decision, and the type's default for it; in the order in
# which SWF misses them.
ACTIVITY_SETTINGS = {
    "taskList": "defaultTaskList",
    "scheduleToStartTimeout": "defaultTaskScheduleToStartTimeout",
    "scheduleToCloseTimeout": "defaultTaskScheduleToCloseTimeout",
    "startToCloseTimeout": "defaultTaskStartToCloseTimeout",
    "heartbeatTimeout": "defaultTaskHeartbeatTimeout",
    "taskPriority": "defaultTaskPriority",
}
WORKFLOW_SETTINGS = {
    "executionStartToCloseTimeout": "defaultExecutionStartToCloseTimeout",
    "taskList": "defaultTaskList",
    "taskStartToCloseTimeout": "defaultTaskStartToCloseTimeout",
    "childPolicy": "defaultChildPolicy",
    "taskPriority": "defaultTaskPriority",
    "lambdaRole": "defaultLambdaRole",
}
_OPTIONAL = {"taskPriority", "lambdaRole"}


def resolve(
    given: Params, defaults: Params, settings: dict[str, str]
) -> tuple[Params, str | None]:
    """Take each setting from the request, else from the type.

    Args:
        given: The request or decision.
        defaults: What the type was registered with.
        settings: One of the two tables above.

    Returns:
        The settings, and the name of the first one that is nowhere to be found.
    """
    resolved: Params = {}
    for name, default in settings.items():
        value = given.get(name) or defaults.get(default)
        if value is not None:
            resolved[name] = value
        elif name not in _OPTIONAL:
            return resolved, name
    return resolved, None


def undefined_cause(name: str) -> str:
    """Name the cause of a failed decision: ``DEFAULT_TASK_LIST_UNDEFINED``."""
    words = re.sub("([A-Z])", r"_\1", name).upper()
    return f"DEFAULT_{words}_UNDEFINED"

"""Workflows of a few lines, played to their end: every decision twice, and compared."""

from typing import Any

from flowser import decisions as d
from flowser import flow
from tests.replay.story import Story

CLOSE = d.CLOSING

workflow = flow.workflow(version="1", task_list="deciders")


@flow.activity(version="1", task_list="payers")
async def work(name: str) -> str:
    return name


@flow.activity(version="1", task_list="payers", cancellation="wait")
async def patient(name: str) -> str:
    return name


def play(made: Any, *done: str | tuple[str, Any]) -> Story:
    """Play a workflow to its end; complete activities in this order."""
    story = Story(made, using=[work, patient])
    story.settle()
    for each in done:
        match each:
            case str(id):
                story.complete(id, id)
            case ("skip", int(seconds)):
                story.skip(seconds)
            case ("signal", name):
                story.signal(name, name)
            case ("fail", str(id)):
                story.fail(id, "Broken: it broke")
            case other:
                raise AssertionError(other)
        story.settle()
    story.replayed().end()
    return story

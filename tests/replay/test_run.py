import asyncio

from flowser import decisions as d
from flowser import flow
from tests.replay.story import Story


@flow.activity(version="1", task_list="payers")
async def charge(order_id: str, amount: int = 1) -> str:
    return f"{order_id} {amount}"


def test_a_call_schedules_an_activity_and_its_result_is_returned() -> None:
    @flow.workflow(version="1", task_list="deciders")
    async def order(order_id: str) -> str:
        return "paid " + await charge(order_id, amount=3)

    story = Story(order, "o-17", using=[charge])
    [scheduled] = story.decisions()
    assert isinstance(scheduled, d.ScheduleActivityTask)
    assert scheduled.activity_id == "1"
    assert scheduled.input == '{"order_id":"o-17","amount":3}'
    story.complete("1", "r-1")
    assert story.decisions() == [d.CompleteWorkflowExecution(result='"paid r-1"')]
    assert story.result == "paid r-1"
    story.replayed()


def test_gather_schedules_all_at_once() -> None:
    @flow.workflow(version="1", task_list="deciders")
    async def order(n: int) -> list[str]:
        return await asyncio.gather(*(charge("o", i) for i in range(n)))

    story = Story(order, 3, using=[charge])
    assert story.ids_of(story.decide()) == ["1.1", "2.1", "3.1"]
    for id in ["2.1", "1.1", "3.1"]:
        story.complete(id, id)
        story.settle()
    assert story.result == ["1.1", "2.1", "3.1"]


def test_sleep_is_a_timer() -> None:
    @flow.workflow(version="1", task_list="deciders")
    async def order() -> str:
        await asyncio.sleep(10)
        return flow.now().isoformat()

    story = Story(order)
    assert story.decisions() == [d.StartTimer(timer_id="1", start_to_fire_timeout="10")]
    story.skip(10)
    story.settle()
    assert story.result

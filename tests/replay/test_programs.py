"""Random programs in a random world: a kept run and a new one always agree."""

import random
from typing import Any

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from flowser import events as e
from tests.local.engine.rig import Fault, Rig
from tests.replay.programs import PROGRAMS, Program, interpreted, work
from tests.replay.story import STORIES, Story, Task

#: How often the world may do something before it only helps the run to its end.
STEPS = 60

#: How a program ends. A task group of Python 3.13 in which something failed while it
#: was cancelled cancels its task once more, and so the run.
ENDS = (e.WorkflowExecutionCompleted, e.WorkflowExecutionCanceled)


class World:
    """Does to a run what may happen to one."""

    def __init__(self, program: Program, seed: int, *, cruel: bool) -> None:
        self.chance = random.Random(seed)
        self.cruel = cruel
        self.story = Story(interpreted, program, using=[work], rig=Rig())
        self.open: dict[str, Task] = {}

    def play(self) -> Story:
        """Play it to its end."""
        for step in range(STEPS * 10):
            if self.story.answers and self.story.answers[-1].closes and self.closed:
                return self.story
            self.act(kind=step >= STEPS)
        raise AssertionError("the run has come to its end")

    @property
    def closed(self) -> bool:
        return isinstance(self.story.last, ENDS)

    def act(self, *, kind: bool) -> None:
        """Do something; when *kind*, something that helps."""
        for task in self.story.tasks():
            self.open[task.id] = task
        does: list[Any] = [self.decide] * 4
        does += [self.complete] * 2 + [self.skip]
        if not kind:
            does += [self.fail, self.signal, self.beat, self.decide_late]
            does += [self.cancel] if self.chance.random() < 0.1 else []
            does += [self.evict, self.lose] if self.cruel else []
        self.chance.choice(does)()

    def decide(self) -> None:
        if self.story.waits():
            self.story.decide()

    def decide_late(self) -> None:
        """Decide while something happens."""
        if self.story.waits():
            other = self.chance.choice([self.complete, self.signal, self.skip])
            self.story.decide(meanwhile=other)

    def pick(self) -> Task | None:
        return (
            self.open.pop(self.chance.choice([*self.open]), None) if self.open else None
        )

    def complete(self) -> None:
        if task := self.pick():
            self.end(task, lambda: self.story.complete(task.id, task.id))

    def fail(self) -> None:
        if task := self.pick():
            self.end(task, lambda: self.story.fail(task.id, "Broken: no"))

    def end(self, task: Task, how: Any) -> None:
        """Answer an activity; one that is to be canceled often acknowledges."""
        try:
            wanted = self.story.beat(task.id)
            if wanted and self.chance.random() < 0.7:
                self.story.acknowledge(task.id)
            else:
                how()
        except Fault as fault:  # closed meanwhile, or timed out
            if "UnknownResource" not in fault.type:
                raise

    def beat(self) -> None:
        if self.open:
            self.end(self.chance.choice([*self.open.values()]), lambda: None)

    def skip(self) -> None:
        self.story.skip(self.chance.choice([0, 1, 1, 2]))

    def signal(self) -> None:
        if not (self.story.answers and self.closed):
            number = self.chance.randrange(2)
            self.story.signal(f"signal {number}", number)

    def cancel(self) -> None:
        if not (self.story.answers and self.closed):
            self.story.cancel()

    def evict(self) -> None:
        """Throw the kept run away."""
        self.story.run.end()
        self.story.run = self.story.fresh()

    def lose(self) -> None:
        """Make a decision that never arrives."""
        if self.story.waits() and (task := self.story.poll()) is not None:
            run = self.story.fresh()
            run.feed(self.story.events(task))
            run.advance()
            self.story.do_steps(run)
            run.take()
            run.end()
            self.story.skip(11)


def played(program: Program, seed: int, *, cruel: bool) -> Story:
    note(f"{program!r} in world {seed}")
    try:
        story = World(program, seed, cruel=cruel).play()
        run = story.replayed()
        assert run.main is not None
        run.end()
        return story
    finally:
        while STORIES:
            STORIES.pop().run.end()


RULES = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@RULES
@given(program=PROGRAMS, seed=st.integers(0, 2**32))
def test_a_kept_run_and_a_new_one_agree(program: Program, seed: int) -> None:
    played(program, seed, cruel=False)


@RULES
@given(program=PROGRAMS, seed=st.integers(0, 2**32))
def test_they_agree_where_runs_are_evicted_and_decisions_lost(
    program: Program, seed: int
) -> None:
    played(program, seed, cruel=True)


@RULES
@given(program=PROGRAMS)
def test_the_same_world_ends_the_same(program: Program) -> None:
    first = played(program, 1, cruel=False)
    second = played(program, 1, cruel=False)
    assert first.last == second.last
    assert first.event_types == second.event_types

"""The batch that a decision belongs to.

Source:
    swf-semantics.md section 3.1.
"""

from flowser import events as e
from flowser.local.engine.state import Domain, Run
from flowser.local.engine.world import World


class Batch:
    """Decisions of one answer.

    Attributes:
        world: Where they are applied.
        run: Whose decider made them.
        id: The event DecisionTaskCompleted, which all their events name.
        children: How many children are to be started when the batch is over.
    """

    __slots__ = ("children", "id", "run", "world")

    def __init__(self, world: World, run: Run, id: int) -> None:
        self.world = world
        self.run = run
        self.id = id
        self.children = 0

    @property
    def domain(self) -> Domain:
        """The domain of the run."""
        return self.run.domain

    def append(self, attributes: e.Attributes) -> int:
        """Append an event to the history of the run."""
        return self.world.append(self.run, attributes)

    def allowed(self, decision: str) -> bool:
        """Tell whether the account's token bucket lets a decision through."""
        world = self.world
        return world.throttle.decision(decision, self.domain.region, world.now)

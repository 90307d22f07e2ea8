"""What happened: the only things that change the state, and all that is stored.

A request is judged against the state and yields facts; :mod:`~.evolve` folds them.
Times are milliseconds since 1970. ``run`` numbers the executions of a server; run ids
are SWF's own, opaque ones.

Source:
    DESIGN section 5.
"""

from typing import dataclass_transform

import msgspec

from flowser.events import Attributes


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Fact(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """Something that happened."""


class DomainFact(Fact):
    """Something that happened to a domain."""

    region: str
    domain: str
    at: int


class DomainRegistered(DomainFact):
    """A domain was registered; retention is in days, or "NONE"."""

    retention: str
    description: str | None = None
    tags: dict[str, str] = {}


class DomainDeprecated(DomainFact):
    """A domain was deprecated, and with it every type in it."""


class DomainUndeprecated(DomainFact):
    """A domain was taken back into use; its types are not."""


class DomainTagged(DomainFact):
    """Tags were set."""

    tags: dict[str, str]


class DomainUntagged(DomainFact):
    """Tags were taken off."""

    keys: tuple[str, ...]


class TypeFact(DomainFact):
    """Something that happened to a type; kind is "workflow" or "activity"."""

    kind: str
    name: str
    version: str


class TypeRegistered(TypeFact):
    """A type was registered; defaults by SWF's own names, a task list as its name."""

    defaults: dict[str, str]
    description: str | None = None


class TypeDeprecated(TypeFact):
    """A type was deprecated."""


class TypeUndeprecated(TypeFact):
    """A type was taken back into use."""


class TypeDeleted(TypeFact):
    """A deprecated type was deleted."""


class RunFact(Fact):
    """Something that happened to a run."""

    run: int
    at: int


class RunOpened(RunFact):
    """A run came to be; its first event follows."""

    region: str
    domain: str
    workflow_id: str
    run_id: str
    type_name: str
    type_version: str
    tags: tuple[str, ...] = ()


class Happened(RunFact):
    """An event was appended to the history of a run.

    Attributes:
        id: 1 to n without gaps.
        attributes: What it tells; the class has the name of the event type.
        data: The whole event as JSON, as it goes over the wire.
    """

    id: int
    attributes: Attributes
    data: bytes


class Heartbeat(RunFact):
    """A worker said that an activity task goes on."""

    scheduled_id: int
    details: str | None = None


class RunClosed(RunFact):
    """A run came to its end; its closing event went before.

    Attributes:
        summary: All that can be asked about it later, but for its events.
        expires_at: When its retention is over.
    """

    summary: "Summary"
    expires_at: int


class RunRemoved(RunFact):
    """The retention of a closed run was over."""


class Summary(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What descriptions and lists tell of a run, open or closed."""

    run: int
    region: str
    domain: str
    workflow_id: str
    run_id: str
    type_name: str
    type_version: str
    started_at: int
    last_event_id: int
    child_policy: str
    execution_timeout: str
    task_timeout: str
    task_list: str
    task_priority: str | None = None
    lambda_role: str | None = None
    tags: tuple[str, ...] = ()
    parent_workflow_id: str | None = None
    parent_run_id: str | None = None
    cancel_requested: bool = False
    open_activities: int = 0
    open_decisions: int = 0
    open_timers: int = 0
    open_children: int = 0
    open_lambdas: int = 0
    latest_activity_at: int | None = None
    context: str | None = None
    closed_at: int | None = None
    close_status: str | None = None

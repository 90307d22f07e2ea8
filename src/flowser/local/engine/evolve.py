"""The fold over facts: the only writer of the state.

A restart is the same fold over what was stored.

Source:
    swf-semantics.md section 1.7.
"""

from collections.abc import Callable
from typing import Any

from flowser.local.engine import clocks, facts
from flowser.local.engine.happening import EVENTS
from flowser.local.engine.state import Domain, Registered, Run, State


def fold(state: State, fact: facts.Fact) -> None:
    """Change the state as a fact says."""
    _FACTS[type(fact)](state, fact)


def _domain(state: State, fact: facts.DomainFact) -> Domain:
    return state.domains[fact.region, fact.domain]


def _domain_registered(state: State, fact: facts.DomainRegistered) -> None:
    made = Domain(fact.region, fact.domain, fact.retention, fact.description)
    made.tags.update(fact.tags)
    state.domains[fact.region, fact.domain] = made


def _domain_deprecated(state: State, fact: facts.DomainDeprecated) -> None:
    domain = _domain(state, fact)
    domain.deprecated = True
    for types in domain.types.values():
        for registered in types.values():
            if registered.deprecated_at is None:
                registered.deprecated_at = fact.at


def _domain_undeprecated(state: State, fact: facts.DomainUndeprecated) -> None:
    # Whether its types come back is not known (section 1.7): they do not.
    _domain(state, fact).deprecated = False


def _domain_tagged(state: State, fact: facts.DomainTagged) -> None:
    _domain(state, fact).tags.update(fact.tags)


def _domain_untagged(state: State, fact: facts.DomainUntagged) -> None:
    for key in fact.keys:
        _domain(state, fact).tags.pop(key, None)


def _type_registered(state: State, fact: facts.TypeRegistered) -> None:
    types = _domain(state, fact).types[fact.kind]
    types[fact.name, fact.version] = Registered(fact)


def _type_deprecated(state: State, fact: facts.TypeDeprecated) -> None:
    types = _domain(state, fact).types[fact.kind]
    types[fact.name, fact.version].deprecated_at = fact.at


def _type_undeprecated(state: State, fact: facts.TypeUndeprecated) -> None:
    types = _domain(state, fact).types[fact.kind]
    types[fact.name, fact.version].deprecated_at = None


def _type_deleted(state: State, fact: facts.TypeDeleted) -> None:
    del _domain(state, fact).types[fact.kind][fact.name, fact.version]


def _run_opened(state: State, fact: facts.RunOpened) -> None:
    domain = state.domains[fact.region, fact.domain]
    run = Run(fact.run, domain, fact.workflow_id, fact.run_id, fact.at)
    run.tags = fact.tags
    state.runs[fact.run] = domain.open[fact.workflow_id] = run
    state.last_run = max(state.last_run, fact.run)


def _happened(state: State, fact: facts.Happened) -> None:
    run = state.runs[fact.run]
    run.events.append(fact.data)
    EVENTS[type(fact.attributes)](state, run, fact, fact.attributes)


def _heartbeat(state: State, fact: facts.Heartbeat) -> None:
    task = state.runs[fact.run].activities[fact.scheduled_id]
    task.details = task.details if fact.details is None else fact.details
    timeout = task.attributes.heartbeat_timeout
    clocks.restart(state, task, "heartbeat", fact.at, timeout)


def _run_closed(state: State, fact: facts.RunClosed) -> None:
    run = state.runs.pop(fact.run)
    if run.domain.open.get(run.workflow_id) is run:
        del run.domain.open[run.workflow_id]


def _nothing_open(state: State, fact: facts.RunRemoved) -> None:
    """Change nothing: the run was closed, and the archive forgets it."""


_FACTS: dict[type[facts.Fact], Callable[[State, Any], None]] = {
    facts.DomainRegistered: _domain_registered,
    facts.DomainDeprecated: _domain_deprecated,
    facts.DomainUndeprecated: _domain_undeprecated,
    facts.DomainTagged: _domain_tagged,
    facts.DomainUntagged: _domain_untagged,
    facts.TypeRegistered: _type_registered,
    facts.TypeDeprecated: _type_deprecated,
    facts.TypeUndeprecated: _type_undeprecated,
    facts.TypeDeleted: _type_deleted,
    facts.RunOpened: _run_opened,
    facts.Happened: _happened,
    facts.Heartbeat: _heartbeat,
    facts.RunClosed: _run_closed,
    facts.RunRemoved: _nothing_open,
}

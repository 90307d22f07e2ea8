"""Domains and types: a log of what happened to them, made shorter at every start.

Source:
    swf-semantics.md section 1.7.
"""

from typing import Any

from flowser.local import _rows, _sql
from flowser.local._files import Connection
from flowser.local.engine import evolve, facts
from flowser.local.engine.quotas import Quotas
from flowser.local.engine.state import Domain, State


class Registry:
    """All that was said of domains and types."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def write(self, said: list[facts.DomainFact]) -> None:
        """Add facts."""
        rows = [(data, _rows.seal(data)) for data in map(_rows.encode, said)]
        self._db.executemany(_sql.ADD_REGISTRY, rows)

    def facts(self) -> list[facts.DomainFact]:
        """Give facts whose fold is the same as that of all; forget the others."""
        rows = self._db.execute(_sql.READ_REGISTRY).fetchall()
        logged = [_rows.REGISTRY.read(data, crc) for data, crc in rows]
        shorter = compacted(logged)
        if len(logged) > 2 * len(shorter):
            self._db.begin()
            self._db.execute(_sql.CLEAR_REGISTRY)
            self.write(shorter)
        return shorter


def compacted(registry: list[facts.DomainFact]) -> list[facts.DomainFact]:
    """Say the same of domains and types with as few facts as there can be.

    Args:
        registry: All facts about them, in order.

    Returns:
        Facts whose fold is the same.
    """
    state = State(Quotas())
    for fact in registry:
        evolve.fold(state, fact)
    # When a domain was registered is not kept, for SWF tells nobody.
    at = registry[-1].at if registry else 0
    return [fact for domain in state.domains.values() for fact in _facts(domain, at)]


def _facts(domain: Domain, at: int) -> list[facts.DomainFact]:
    where: dict[str, Any] = {"region": domain.region, "domain": domain.name}
    registered = facts.DomainRegistered(
        **where,
        at=at,
        retention=domain.retention,
        description=domain.description,
        tags=domain.tags,
    )
    found: list[facts.DomainFact] = [registered]
    if domain.deprecated:  # said before its types, so that it says nothing of them
        found.append(facts.DomainDeprecated(**where, at=at))
    for kind, types in domain.types.items():
        for (name, version), type in types.items():
            found.append(type.fact)
            if type.deprecated_at is not None:
                deprecated = facts.TypeDeprecated(
                    **where,
                    at=type.deprecated_at,
                    kind=kind,
                    name=name,
                    version=version,
                )
                found.append(deprecated)
    return found

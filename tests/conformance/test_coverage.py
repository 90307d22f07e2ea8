"""The scenarios, taken together, see all that there is of SWF to be seen.

All of it is asked of botocore's model; what a server without IAM, and without AWS
around it, cannot bring about is listed here.
"""

import asyncio
from collections import defaultdict
from typing import Any

import pytest

from flowser import events
from tests.conformance import backends
from tests.conformance.face import Swf
from tests.conformance.scenarios import SCENARIOS
from tests.local.shapes import model

#: Causes that need IAM, another region, or a bucket whose size is not published.
_FOREIGN = {
    "OPERATION_NOT_PERMITTED",
    "LAMBDA_SERVICE_NOT_AVAILABLE_IN_REGION",
    "LAMBDA_FUNCTION_CREATION_RATE_EXCEEDED",
    "CONTINUE_AS_NEW_WORKFLOW_EXECUTION_RATE_EXCEEDED",
}

#: A marker fails only where IAM forbids it.
_FOREIGN_EVENTS = {"RecordMarkerFailed"}

_FOREIGN_FAULTS = {"OperationNotPermittedFault"}


class Seen:
    """What all scenarios saw of an engine.

    Attributes:
        told: The attributes, by event type.
        causes: Why something failed, by event type.
        operations: What was called with success.
        refusals: What was answered as an error.
    """

    def __init__(self) -> None:
        self.told: dict[str, set[str]] = defaultdict(set)
        self.causes: set[tuple[str, str]] = set()
        self.operations: set[str] = set()
        self.refusals: set[str] = set()

    def add(self, swf: Swf) -> None:
        """Take over what one scenario saw."""
        for kind, names in swf.told.items():
            self.told[kind] |= names
        self.causes |= swf.causes
        self.operations |= swf.operations
        self.refusals |= swf.refusals


async def _played() -> Seen:
    seen = Seen()
    for scenario in SCENARIOS.values():
        async with backends.engine(scenario) as backend:
            swf = Swf(backend)
            await swf.prepare()
            await scenario.play(swf)
            seen.add(swf)
    return seen


@pytest.fixture(scope="module")
def seen() -> Seen:
    """Play every scenario once."""
    return asyncio.run(_played())


def _attributes(kind: str) -> Any:
    """Give the shape of an event's attributes."""
    (shape,) = (model().shape_for("HistoryEvent").members[events.member(kind)],)
    return shape


def _kinds() -> set[str]:
    return set(model().shape_for("EventType").enum)


def test_every_event_is_seen_with_every_attribute(seen: Seen) -> None:
    assert len(_kinds()) == 54
    assert set(seen.told) == _kinds() - _FOREIGN_EVENTS
    for kind, names in seen.told.items():
        assert names == set(_attributes(kind).members), kind


def test_every_cause_is_seen(seen: Seen) -> None:
    causes = {
        (kind, cause)
        for kind in _kinds()
        if "cause" in _attributes(kind).members
        for cause in _attributes(kind).members["cause"].enum
        if cause not in _FOREIGN
    }
    assert seen.causes == causes


def test_every_operation_is_carried_out(seen: Seen) -> None:
    assert seen.operations == set(model().operation_names)


def test_every_fault_is_seen(seen: Seen) -> None:
    modeled = {
        name
        for name in model().shape_names
        if model().shape_for(name).metadata.get("exception")
    }
    assert len(modeled) == 11
    common = {"ValidationException", "ThrottlingException", "SerializationException"}
    assert seen.refusals == modeled - _FOREIGN_FAULTS | common

"""Every scenario, against everything that claims to be SWF."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.session import AioSession

from tests.conformance import backends, elsewhere
from tests.conformance.clients import Opening
from tests.conformance.face import Swf
from tests.conformance.registry import Scenario
from tests.conformance.scenarios import SCENARIOS

_LOCAL = ("engine", "session", "lean", "http", "sqlite")


def _fits(name: str, scenario: Scenario) -> bool:
    if name == "lean":  # which sends nothing wrong, and persists when it is throttled
        return scenario.typed and not scenario.throttle
    return name in {"engine", "session"} or not scenario.many


def _cases() -> Iterator[Any]:
    for scenario in SCENARIOS.values():
        for name in _LOCAL:
            if _fits(name, scenario):
                yield pytest.param(name, scenario, id=f"{name}-{scenario.name}")
        if scenario.plain and not scenario.moto:
            yield pytest.param("moto", scenario, id=f"moto-{scenario.name}")
        if scenario.plain and scenario.aws is None and elsewhere.AWS_DOMAIN:
            yield pytest.param("aws", scenario, id=f"aws-{scenario.name}")


@pytest.fixture
def opening(
    backend: str, bare_session: AioSession, tmp_path: Path, request: Any
) -> Opening:
    """The way to a back end, by its name."""
    if backend == "moto":
        return elsewhere.moto(bare_session, request.getfixturevalue("moto_url"))
    ways: dict[str, Opening] = {
        "engine": backends.engine,
        "session": backends.in_process(bare_session),
        "lean": backends.lean,
        "http": backends.over_http(bare_session),
        "sqlite": backends.over_http(bare_session, tmp_path),
        "aws": elsewhere.aws,
    }
    return ways[backend]


async def _play(scenario: Scenario, opening: Opening) -> None:
    async with opening(scenario) as found:
        swf = Swf(found)
        await swf.prepare()
        await scenario.play(swf)
        if not found.fresh:
            await swf.tidy()


@pytest.mark.parametrize(("backend", "scenario"), [*_cases()])
async def test_scenario(backend: str, scenario: Scenario, opening: Opening) -> None:
    await _play(scenario, opening)


_BEYOND_MOTO = [each for each in SCENARIOS.values() if each.plain and each.moto]


@pytest.mark.parametrize("backend", ["moto"])
@pytest.mark.parametrize("scenario", _BEYOND_MOTO, ids=lambda each: each.name)
async def test_moto_cannot(backend: str, scenario: Scenario, opening: Opening) -> None:
    """Each says why; when moto has learned it, this goes red."""
    with pytest.raises((Exception, pytest.fail.Exception)):  # it fails in many ways
        await _play(scenario, opening)

"""Looking back on a simulated life: what was told, and what must not be.

Source:
    reliability.md section 4, experiment 56.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from flowser import requests, shapes
from tests.local.engine.witness import Witness
from tests.local.seasons import Farm, Plan
from tests.local.served import Client, attributes
from tests.local.weather import Acknowledged, Weather


@dataclass
class Report:
    """What became of a seed.

    Attributes:
        seed: The seed.
        digest: Of all that happened.
        problems: What must not happen, as sentences.
        calls: How many calls there were.
        acknowledged: Those of them that changed something, and were found kept.
        harms: What happened to calls, and to the server and workers; how often.
        events: How many events there are in all histories.
        seconds: Virtual ones.
    """

    seed: int
    digest: str = ""
    problems: list[str] = field(default_factory=list)
    calls: int = 0
    acknowledged: int = 0
    harms: Counter[str] = field(default_factory=Counter)
    events: int = 0
    seconds: float = 0.0


#: Histories, by workflow id and run id.
Runs = dict[tuple[str, str], list[Any]]


async def histories(client: Client) -> Runs:
    """Read all histories."""
    window = shapes.ExecutionTimeFilter(oldest_date=0)
    kinds: Any = (
        requests.ListOpenWorkflowExecutions,
        requests.ListClosedWorkflowExecutions,
    )
    found: Runs = {}
    for kind in kinds:
        answer = await client.send(kind(domain=Farm.name, start_time_filter=window))
        for info in answer["executionInfos"]:
            ids = info["execution"]
            found[ids["workflowId"], ids["runId"]] = await _events(client, **ids)
    return found


async def _events(client: Client, workflowId: str, runId: str) -> list[Any]:  # noqa: N803
    ids = shapes.WorkflowExecution(workflow_id=workflowId, run_id=runId)
    events: list[Any] = []
    token = None
    while True:
        request = requests.GetWorkflowExecutionHistory(
            domain=Farm.name, execution=ids, next_page_token=token
        )
        answer = await client.send(request)
        events += answer["events"]
        token = answer.get("nextPageToken")
        if token is None:
            return events


class Audit:
    """Holds all histories against what clients were told."""

    def __init__(self, report: Report, weather: Weather, runs: Runs) -> None:
        self._report = report
        self._weather = weather
        self._runs = runs
        self._labels: Counter[str] = Counter(
            label
            for ids, events in runs.items()
            for label in (json.dumps(ids), *_labels(events))
        )

    def check(self) -> None:
        """Complete the report."""
        report = self._report
        for (id, run_id), events in sorted(self._runs.items()):
            report.events += len(events)
            self._weather.note(id, run_id, json.dumps(events))
            self._check_history(id, events)
        for call in self._weather.acknowledged:
            for label in _acknowledged(call):
                report.acknowledged += 1
                if not self._labels[label]:
                    report.problems.append(f"lost: {label} of {call}")
        twice = [label for label, times in self._labels.items() if times > 1]
        report.problems += [f"twice: {label}" for label in twice]
        report.harms += self._weather.harms
        report.calls = self._weather.calls
        report.digest = self._weather.digest

    def _check_history(self, id: str, events: list[Any]) -> None:
        witness = Witness()
        try:
            for event in events:
                witness.see(event)
            witness.rest()
        except (AssertionError, KeyError) as error:
            self._report.problems.append(f"{id}: not a history of SWF's: {error!r}")
        plan = Plan(*json.loads(attributes(events[0])["input"]))
        last = events[-1]
        if last["eventType"] == "WorkflowExecutionCompleted":
            result = json.loads(attributes(last)["result"])
            if result != [plan.id, plan.result]:
                self._report.problems.append(f"{id}: {result} is not {plan}")
        elif last["eventType"] != "WorkflowExecutionContinuedAsNew":
            self._report.problems.append(f"{id}: its last event is {last}")


def _labels(events: list[Any]) -> Iterator[str]:
    """Give what is nobody else's: results, markers, and inputs of signals."""
    members = {
        "ActivityTaskCompleted": "result",
        "MarkerRecorded": "details",
        "WorkflowExecutionSignaled": "input",
    }
    for event in events:
        if event["eventType"] in members:
            yield attributes(event)[members[event["eventType"]]]


def _acknowledged(call: Acknowledged) -> Iterator[str]:
    """Give the labels that an acknowledged call has left behind."""
    params = call.params
    if call.operation == "StartWorkflowExecution":
        yield json.dumps((params["workflowId"], call.answer["runId"]))
    elif call.operation == "SignalWorkflowExecution":
        yield params["input"]
    elif call.operation == "RespondActivityTaskCompleted":
        yield params["result"]
    elif call.operation == "RespondDecisionTaskCompleted":
        for decision in params.get("decisions", ()):
            if decision["decisionType"] == "RecordMarker":
                yield decision["recordMarkerDecisionAttributes"]["details"]

"""Makes decisions again in a process of its own: ``python -m flowser.testing._seeded``.

Each line that is read is a :class:`~flowser.testing.seeds.Decided`; each line that is
written says what came of it: outcomes, by the number of events; or null, when there is
no such workflow here.
"""

import contextlib
import importlib
import os
import sys
from typing import Any

import msgspec

from flowser import events
from flowser._flow.declaring import Nowhere
from flowser._flow.hosting import Program
from flowser._flow.recording import recorded
from flowser.replay.run import Run
from flowser.testing.outcomes import Outcome, decide_again
from flowser.testing.seeds import Decided, found_at


def main() -> None:
    """Answer until there are no more questions."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    read = msgspec.json.Decoder(Decided).decode
    # What workflow code prints is no answer.
    with answers, contextlib.redirect_stdout(sys.stderr), recorded():
        for line in sys.stdin.buffer:
            answers.write(msgspec.json.encode(_again(read(line))) + b"\n")
            answers.flush()


def _again(decided: Decided) -> dict[int, Outcome] | None:
    sys.path[:] = decided.path
    module = decided.kind.partition(":")[0]
    try:
        if importlib.import_module(module).__file__ != decided.file:
            return None
        program = Program(found_at(decided.kind), _home(decided.domain))
    except ModuleNotFoundError as error:
        if f"{module}.".startswith(f"{error.name}."):
            return None
        return _trouble(decided, error)
    except Exception as error:  # noqa: BLE001 - a module may raise anything
        return _trouble(decided, error)
    history = [events.event(raw) for raw in decided.events]
    return {
        seen: decide_again(
            Run(decided.workflow_id, decided.run_id, program), history[:seen], known
        )
        for seen, known in decided.outcomes.items()
    }


def _trouble(decided: Decided, error: Exception) -> dict[int, Outcome]:
    trouble = f"it cannot be imported: {type(error).__name__}: {error}"
    return dict.fromkeys(decided.outcomes, Outcome(trouble=trouble))


def _home(domain: str | None) -> Any:
    """Give what payloads need of a domain."""
    home = Nowhere()
    if domain is not None:
        kind = found_at(domain)
        home.name, home.serializer = kind.name, kind.serializer
    return home


if __name__ == "__main__":
    main()

"""Log records of workflow code: dropped while it is replayed, and with the run's ids.

Source:
    dx.md section 1.1 (logging).
"""

import logging

from flowser._flow.current import current


class ReplayFilter(logging.Filter):
    """Drops what was logged before, and adds the ids of the run.

    A worker sees to that for all handlers while it works. Put one on a handler where
    workflow code is replayed without, by ``flowser.replay`` itself. Records from
    outside of workflow code pass as they are.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop a record of a replay; to others add workflow_id, run_id and type."""
        run = current()
        if run is None:
            return True
        if run.replaying:
            return False
        record.__dict__.setdefault("workflow_id", run.workflow_id)
        record.__dict__.setdefault("run_id", run.run_id)
        if run.started is not None:
            kind = run.started.workflow_type
            record.__dict__.setdefault("type", f"{kind.name} {kind.version}")
        return True

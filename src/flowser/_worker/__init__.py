"""The inside of :class:`flowser.Worker`.

========== ============================================================
handlers   which type is served by what
pollers    a slot, a poll, a task: the loop of one poller
crew       the tasks of a worker, and how they end
held       the tasks of SWF that a worker has in hand: they answer persistently
heart      the heartbeats of one activity
running    one activity, from its handler's start to its answer
deciding   one decision, likewise; and by a ``decide``
replaying  one decision of a coroutine workflow, and what these share
live       a run of one in memory
stepping   its steps, which the event loop does
observing  who is told of its decisions: nobody, but in tests
sticky     which runs are kept, and the list that their tasks come to
failures   what is told of an exception
telling    sentences of the log that several of these say
signals    SIGTERM and SIGINT
slots      how many tasks may be in hand
serving    the task lists of a worker, and what they deliver
watchdog   names what blocks the event loop
========== ============================================================
"""

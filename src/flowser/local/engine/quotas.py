"""How much SWF allows: quotas, and token buckets that throttle.

Source:
    swf-semantics.md section 8; AWS developer guide, "Amazon SWF quotas".
"""

import msgspec


class Quotas(msgspec.Struct, frozen=True, kw_only=True):
    """Limits that do not depend on time; a test may lower them."""

    domains: int = 100
    types: int = 10_000
    domain_tags: int = 50
    open_executions: int = 100_000
    open_activities: int = 1_000
    open_timers: int = 1_000
    open_children: int = 1_000
    #: Not published: the enumeration has the cause, the page no figure. As the others.
    open_lambdas: int = 1_000
    pollers: int = 1_000
    history_events: int = 25_000
    page_size: int = 1_000
    #: Counts beyond it are truncated; SWF stops after reading 1 MB.
    count: int = 10_000
    #: Seconds; a year. Executions end then, and so do tasks and timers in them.
    lifetime: int = 365 * 86_400
    #: Seconds that a poll is held, and that a page token is good for.
    poll: float = 60
    page_token: int = 86_400
    #: Seconds that a Lambda function may take when the decision does not say.
    lambda_timeout: int = 900

"""What is to go wrong between a client and a local SWF, and what did.

Source:
    reliability.md section 4; swf-semantics.md section 1.2.
"""

import asyncio
import functools
from datetime import timedelta
from typing import Literal, Unpack

import aiohttp

from flowser.exceptions import SERVICE_ERRORS, InternalFailure, InvalidArgument
from flowser.local.engine.faults import Fault
from flowser.local.protocol import Answer, refusal
from flowser.testing.planned import Act, Brings, Call, Planned, Which

_SWF = "com.amazonaws.swf.base.model"
_CORAL = "com.amazon.coral"

#: Where the names of errors that are not SWF's own come from.
_SPACES = {
    "ThrottlingException": f"{_CORAL}.availability",
    "ValidationException": f"{_CORAL}.validate",
}

_MESSAGES = {"ThrottlingException": "Rate exceeded"}

_PAGE = b"<html><body><h1>%d</h1></body></html>"

#: The polls that hand out tasks, by the kind of these.
_POLLS = {"activity": "PollForActivityTask", "decision": "PollForDecisionTask"}


class Faults:
    """Plans what is to go wrong between clients and a local SWF.

    ::

        swf.faults.throttle("StartWorkflowExecution", times=3)
        swf.faults.lose("RespondActivityTaskCompleted")
        swf.faults.fail("PollFor*", 503, nth=2)

    All methods have these arguments:

    - *operation*: its name, or a pattern of several: ``"Respond*"``;
    - *nth*: which call goes wrong, counted from now on;
    - *times*: how many calls from that one on; None for all;
    - *where*: which calls are counted: parameters by SWF's own names, those of
      structures by part: ``{"taskList": {"name": "images"}}``.

    Of several plans for a call, the one made first takes it, and those after it do not
    count it. The methods give the plan, which tells whether it ``happened``.

    A plan that never came true is an error at the end of the test, which would prove
    nothing; :meth:`clear` drops what need not happen.
    """

    def __init__(self) -> None:
        """Plan nothing yet."""
        self._plans: list[Planned] = []

    @property
    def pending(self) -> list[Planned]:
        """What is still to happen."""
        return [plan for plan in self._plans if plan.pending]

    @property
    def happened(self) -> list[Planned]:
        """What did happen, at least once."""
        return [plan for plan in self._plans if plan.happened]

    def clear(self) -> None:
        """Let nothing go wrong any more, and nothing be pending."""
        self._plans.clear()

    def throttle(self, operation: str = "*", **which: Unpack[Which]) -> Planned:
        """Answer ThrottlingException; the request does not get through.

        See the class for the arguments.
        """
        return self.fail(operation, "ThrottlingException", **which)

    def fail(
        self,
        operation: str,
        error: int | str = "InternalFailure",
        *,
        message: str | None = None,
        **which: Unpack[Which],
    ) -> Planned:
        """Answer with an error; the request does not get through.

        Args:
            operation: See the class.
            error: The name of an error that AWS answers with; or an HTTP status of 500
                or more, for the page of HTML that a load balancer answers with.
            message: Of the error.
            **which: See the class.
        """
        planted = _planted(error, message)

        async def act(call: Call) -> Answer:
            if isinstance(planted, Answer):
                return planted
            return refusal(planted, call.headers)

        return self._plan(f"fail {error} at", operation, act, **which)

    def lose(
        self, operation: str, *, acted: bool = True, **which: Unpack[Which]
    ) -> Planned:
        """Close the connection instead of an answer.

        Args:
            operation: See the class.
            acted: Whether SWF acted on the request before.
            **which: See the class.
        """

        async def act(call: Call) -> Answer:
            if acted:
                await call.answer()
            raise aiohttp.ServerDisconnectedError

        return self._plan("lose", operation, act, **which)

    def cut(self, operation: str, **which: Unpack[Which]) -> Planned:
        """Close the connection in the middle of an answer; SWF did act.

        See the class for the arguments.
        """

        async def act(call: Call) -> Answer:
            await call.answer()
            raise aiohttp.ClientPayloadError("Response payload is not completed")

        return self._plan("cut", operation, act, **which)

    def truncate(self, operation: str, **which: Unpack[Which]) -> Planned:
        """Answer in full, but with half of the JSON; SWF did act.

        See the class for the arguments.
        """

        async def act(call: Call) -> Answer:
            answer = await call.answer()
            body = answer.body or b"{}"
            return answer._replace(body=body[: len(body) // 2])

        return self._plan("truncate", operation, act, **which)

    def delay(
        self, operation: str, by: timedelta | float, **which: Unpack[Which]
    ) -> Planned:
        """Let the answer come late, or too late for the client; SWF did act in time.

        Args:
            operation: See the class.
            by: How late, in seconds if it is a number.
            **which: See the class.
        """
        late = by.total_seconds() if isinstance(by, timedelta) else by
        if not late >= 0:
            raise InvalidArgument("by", f"is {by!r}", "give 0 s or more")

        async def act(call: Call) -> Answer:
            answer = await call.answer()
            if call.patience is not None and late >= call.patience:
                await asyncio.sleep(call.patience)
                raise aiohttp.SocketTimeoutError("Timeout on reading data from socket")
            await asyncio.sleep(late)
            return answer

        return self._plan(f"delay by {late:g} s", operation, act, **which)

    def duplicate_request(self, operation: str, **which: Unpack[Which]) -> Planned:
        """Let the request get through twice; the second answer is the one that counts.

        See the class for the arguments.
        """

        async def act(call: Call) -> Answer:
            await call.answer()
            return await call.answer()

        return self._plan("duplicate", operation, act, **which)

    def duplicate_response(self, operation: str, **which: Unpack[Which]) -> Planned:
        """Give the answer to a call again to the next one, which does not get through.

        With a poll, a task is handed out twice: what SWF never does.

        Args:
            operation: See the class.
            **which: See the class; *nth* is whose answer is given again.
        """
        if "times" in which:
            raise InvalidArgument("times", "is given", "plan it once for each time")
        kept: list[Answer] = []

        async def act(call: Call) -> Answer:
            if not kept:
                kept.append(await call.answer())
            return kept[0]

        return self._plan("give again", operation, act, **(which | {"times": 2}))

    def lose_task(
        self, kind: Literal["activity", "decision"], **which: Unpack[Which]
    ) -> Planned:
        """Lose the answer of a poll that brings a task; it will time out.

        Args:
            kind: Of the task.
            **which: See the class; answers with a task are counted instead of calls.
        """
        if kind not in _POLLS:
            remedy = 'give "activity" or "decision"'
            raise InvalidArgument("kind", f"is {kind!r}", remedy)

        what = "lose the task of"
        return self._plan(what, _POLLS[kind], _closed, _brings_task, **which)

    def _plan(
        self,
        what: str,
        operation: str,
        act: Act,
        brings: Brings | None = None,
        **which: Unpack[Which],
    ) -> Planned:
        plan = Planned(what, operation, act, brings, which)
        self._plans.append(plan)
        return plan

    async def through(self, call: Call) -> Answer:
        """Carry a call, as far as it gets."""
        onward = functools.partial(self._there_and_back, call)
        for plan in reversed(self._plans):
            onward = functools.partial(plan.through, call, onward)
        return await onward()

    async def _there_and_back(self, call: Call) -> Answer:
        answer = await call.answer()
        for plan in tuple(self._plans):  # also those made while a poll was in flight
            answer = await plan.back(call, answer)
        return answer


async def _closed(call: Call) -> Answer:  # noqa: ARG001 - an Act has one signature
    raise aiohttp.ServerDisconnectedError


def _brings_task(call: Call, answer: Answer) -> bool:
    further_page = "nextPageToken" in call.params
    return not further_page and b'"taskToken":' in answer.body


def _planted(error: int | str, message: str | None) -> Answer | Fault:
    if isinstance(error, int):
        if not 500 <= error <= 599:  # noqa: PLR2004 - as HTTP counts
            remedy = "give 500 to 599, or the name of an error"
            raise InvalidArgument("error", f"is {error}", remedy)
        return Answer(error, {"Content-Type": "text/html"}, _PAGE % error)
    if error not in SERVICE_ERRORS:
        remedy = "give one of AWS's, such as UnknownResourceFault or InternalFailure"
        raise InvalidArgument("error", f"is {error!r}, and there is none", remedy)
    space = _SWF if error.endswith("Fault") else f"{_CORAL}.service"
    text = message if message is not None else _MESSAGES.get(error)
    return Fault(f"{_SPACES.get(error, space)}#{error}", text, _status(error))


def _status(error: str) -> int:
    if SERVICE_ERRORS[error] is not InternalFailure:
        return 400
    return 503 if error.startswith("ServiceUnavailable") else 500

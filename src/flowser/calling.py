"""What a domain is to those who only call SWF in its name.

Source:
    DESIGN section 2.
"""

from typing import TypeVar

from flowser import requests, shapes, wire

R = TypeVar("R", bound=shapes.Shape)


class Calling:
    """A name, and a wire over which calls are made in it.

    Attributes:
        name: The domain's name, 1 to 256 characters.
        wire: Carries the calls.
    """

    name: str
    wire: wire.Wire

    async def call(self, request: requests.Request[R], /) -> R:
        """Send a request of :mod:`flowser.requests` to SWF.

        Raises:
            InvalidArgument: When SWF would refuse it.
            ServiceError: When SWF answered with an error.
            ConnectionFailed: When the request did not reach SWF.
            ResponseLost: When it may have, and no whole answer came back.
        """
        return await wire.send(self.wire, request)

"""Which event loop a command of flowser's runs on."""

import asyncio
import importlib
from collections.abc import Callable


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Give uvloop's, when it is installed; None is what asyncio itself makes.

    Returns:
        What :class:`asyncio.Runner` takes as ``loop_factory``.

    Source:
        DESIGN section 3 (event loop).
    """
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory

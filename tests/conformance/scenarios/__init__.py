"""The scenarios, by what they are about; importing this imports them all."""

import importlib
import pkgutil

from tests.conformance.registry import SCENARIOS

__all__ = ["SCENARIOS"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

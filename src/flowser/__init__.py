"""flowser: the asyncio-native framework for Amazon Simple Workflow Service."""

__version__ = "0.1.0"

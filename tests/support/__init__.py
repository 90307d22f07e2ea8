"""Servers and processes that the tests stand on.

Nothing here imports flowser: these helpers are the independent second opinion on what
SWF does, so they must be able to disagree with the code under test.
"""

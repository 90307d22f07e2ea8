"""Replay: history in, decisions out. Pure: no clock, no chance, no I/O.

``run.py`` is the face; see there.
"""

"""A server that is killed again and again under load, and what is left of it.

Source:
    reliability.md section 4, experiments 38 and 40.
"""

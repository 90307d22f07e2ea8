"""What goes wrong between a worker and SWF, and what must be seen then.

Each experiment of the list in reliability.md section 4 is a test or several; their
docstrings begin with its number, and ``test_coverage.py`` counts them.
"""

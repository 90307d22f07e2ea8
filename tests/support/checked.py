"""A program of its own process whose every decision is made again, and compared.

``python -m tests.support.checked FILE ...``, or ``-m MODULE ...``, does what ``python``
does with the same arguments. A decision that differs is told, and is exit status 97:
what the program itself comes to is of no account then.
"""

import os
import runpy
import sys

from flowser.testing import checked_replays

DIFFERENT = 97


def main() -> None:
    """Run what the arguments name."""
    del sys.argv[0]
    with checked_replays() as checks:
        try:
            if sys.argv[0] == "-m":
                del sys.argv[0]
                runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
            else:
                runpy.run_path(sys.argv[0], run_name="__main__")
        finally:
            again = f"{checks.count} decisions were made again"
            sys.stderr.write("\n\n".join([again, *checks.reports, ""]))
            if checks.reports:
                os._exit(DIFFERENT)


if __name__ == "__main__":
    main()

"""What SWF does, told once as scenarios, and run against everything that claims it.

``face.py`` is what a scenario sees. ``backends.py`` leads to an engine and to local
SWFs over several wires, ``elsewhere.py`` to moto, and to AWS when FLOWSER_TEST_DOMAIN
names a domain there, with the credentials and the region of whoever runs the tests.
"""

import pytest

pytest.register_assert_rewrite(f"{__name__}.face", f"{__name__}.scenarios")

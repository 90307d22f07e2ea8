"""What SWF does, told once as scenarios, and run against everything that claims it.

``face.py`` is what a scenario sees; ``backends.py`` leads to an engine, to local SWFs
over several wires, to moto, and to AWS when FLOWSER_TEST_DOMAIN names a domain there.
"""

import pytest

pytest.register_assert_rewrite(f"{__name__}.face", f"{__name__}.scenarios")

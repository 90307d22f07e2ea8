"""Tests of the engine of the local SWF."""

import pytest

pytest.register_assert_rewrite(f"{__name__}.life", f"{__name__}.witness")

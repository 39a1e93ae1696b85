"""The public names: adding one is a decision, removing one breaks somebody."""

import specspan


def test_the_version_is_public() -> None:
    """`specspan.__version__` names the installed version."""
    assert specspan.__version__ == "0.1.0"

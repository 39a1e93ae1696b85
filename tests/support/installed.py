"""Clients that are installed only in some environments of ``tests/environments``."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]


def is_elsewhere(error: ModuleNotFoundError) -> bool:
    """Whether what is missing may be missing here: this is such an environment, or one of them has it."""
    if "SPECSPAN_ENVIRONMENT" in os.environ:
        return True
    required = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8").split()
    return error.name is not None and error.name.partition(".")[0] not in required


def cannot_ask(error: TypeError) -> bool:
    """Whether an older client refused a parameter that it does not know; the newest knows all that were recorded."""
    return "SPECSPAN_ENVIRONMENT" in os.environ and "unexpected keyword argument" in str(error)

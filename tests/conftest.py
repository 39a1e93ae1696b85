"""Fixtures for every test: internal errors are raised, shared material is found or skipped by name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ["SPECSPAN_RAISE_INTERNAL_ERRORS"] = "1"

# How long one example takes depends on what else the machine does; tests that bound time say so themselves.
settings.register_profile("specspan", deadline=None)
settings.load_profile("specspan")

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


@pytest.fixture(scope="session")
def model_specs() -> Path:
    """The folder of published Model Spec revisions, or a skip that says it is absent."""
    folder = SHARED / "specs" / "openai-model-spec"
    if not folder.is_dir():
        pytest.skip("../shared/specs is absent")
    return folder


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of recorded provider traffic, or a skip that says it is absent."""
    folder = SHARED / "recordings"
    if not folder.is_dir():
        pytest.skip("../shared/recordings is absent")
    return folder

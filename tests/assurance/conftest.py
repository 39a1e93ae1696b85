"""Stores of each kind for reports."""

from __future__ import annotations

from each_store import server

__all__ = ["server"]

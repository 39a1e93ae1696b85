"""Stores of each kind for incidents."""

from __future__ import annotations

from each_store import db, server

__all__ = ["db", "server"]

"""Run every benchmark of this package."""

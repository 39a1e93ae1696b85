"""Readers of specs: one module a format."""

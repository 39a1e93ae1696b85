"""Structured files whose every value knows its line."""

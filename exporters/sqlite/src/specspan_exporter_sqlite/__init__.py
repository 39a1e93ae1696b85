"""Spans and decisions in one SQLite file."""

"""Decisions about model calls that other instrumentation traces, read from its ended spans."""

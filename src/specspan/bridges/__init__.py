"""Calls that somebody else traces: what ended spans tell of becomes a model call, and is decided."""

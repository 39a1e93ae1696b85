"""Replay: recorded calls, decided again by another policy with the engine that decides calls."""

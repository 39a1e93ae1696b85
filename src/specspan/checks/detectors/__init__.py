"""Detectors of things that stand in texts, from which kinds of checks are made."""

"""Policies: their files, their chain of command, and their fit with a spec."""

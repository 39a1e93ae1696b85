"""Readers of YAML and JSON that keep the line of every value."""

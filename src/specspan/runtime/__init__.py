"""Putting the parts together, once."""

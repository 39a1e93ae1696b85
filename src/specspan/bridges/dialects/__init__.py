"""Dialects in which other libraries record model calls: one module each, with its `DIALECT`."""

"""The formats a spec can be written in: one module a format."""

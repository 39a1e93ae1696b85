"""Regular expressions of Python, run by RE2 in linear time."""

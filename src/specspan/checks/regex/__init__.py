"""Python's regular expressions, carried out by RE2 in linear time."""

"""Judges: models that read one clause and one call, and say whether the call complied."""

"""Specs: their clauses, the formats they are written in, and the differences between two versions."""

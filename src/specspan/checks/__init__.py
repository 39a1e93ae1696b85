"""Checks, the decision procedures for single clauses."""

"""Approvals: what waits until a person says yes, and runs once, or not at all."""

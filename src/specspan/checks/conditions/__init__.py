"""Conditions in CEL (the Common Expression Language), checked when a policy is loaded and evaluated for each call."""

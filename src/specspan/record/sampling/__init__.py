"""Sampling that keeps the traces worth keeping: its rules, and the span processor that applies them."""

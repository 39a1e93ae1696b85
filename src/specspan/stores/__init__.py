"""Stores of spans and decisions: one protocol for their readers, one function that opens them by address."""

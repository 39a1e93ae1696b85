"""Ratios against a hand-written span, measured in one run: `make bench`."""

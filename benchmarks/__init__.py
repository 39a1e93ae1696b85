"""Benchmarks as ratios to a hand-written span, measured in one run: `make bench`."""

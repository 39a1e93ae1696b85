"""One module a provider: pure functions and an accumulator on the one wrapper."""

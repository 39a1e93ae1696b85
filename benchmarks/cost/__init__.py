"""Parts of the benchmark of the whole cost: one configuration, measured in a process of its own."""

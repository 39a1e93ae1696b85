"""Model providers: a module or folder for each, with pure functions and an accumulator that the wrapper uses."""

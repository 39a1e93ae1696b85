"""The dialects in which others tell of a model call: one module each, with its `DIALECT`."""

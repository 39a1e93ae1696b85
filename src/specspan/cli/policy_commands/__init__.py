"""Commands of `specspan policy`, one module each."""

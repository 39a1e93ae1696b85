"""Commands of `specspan`, one module each."""

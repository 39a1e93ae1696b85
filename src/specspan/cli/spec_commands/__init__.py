"""Commands of `specspan spec`, one module each."""

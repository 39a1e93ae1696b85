"""Commands of `specspan checks`, one module each."""

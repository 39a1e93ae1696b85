"""Commands of `specspan store`, one module each."""

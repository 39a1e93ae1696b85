"""Commands of `specspan dataset`, one module each."""

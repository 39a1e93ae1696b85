"""Commands of `specspan judge`, one module each."""

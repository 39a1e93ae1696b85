"""Commands of `specspan incident`, a module each."""

"""One module a command of `specspan policy`."""

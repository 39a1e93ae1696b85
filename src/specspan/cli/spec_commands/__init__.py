"""One module a command of `specspan spec`."""

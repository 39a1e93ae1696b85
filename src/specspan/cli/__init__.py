"""Command line of specspan: one module a command, discovered by `specspan.cli.main`."""

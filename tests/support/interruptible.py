"""Command line in a process that SIGINT ends, also where the suite runs with it ignored, as in a shell's background."""

INTERRUPTIBLE_COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from specspan.cli.main import main; main()"
)
"""Program for ``python -c``."""

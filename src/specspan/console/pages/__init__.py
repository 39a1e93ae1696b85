"""Pages of the console, one module each, found by its name: ``ROUTES``, and the link to it as ``NAVIGATION``."""

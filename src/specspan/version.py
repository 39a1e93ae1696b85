"""Which version this is, as every span names it."""

__version__ = "0.1.0"

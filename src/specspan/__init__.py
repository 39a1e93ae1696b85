"""specspan instruments model calls with spans that say which clauses of a behaviour specification applied."""

__version__ = "0.1.0"

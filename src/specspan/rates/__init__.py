"""Shares of calls that violate a clause, from recorded decisions, corrected for errors of checks and for sampling."""

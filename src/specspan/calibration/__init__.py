"""Errors of judges: measured on labelled answers, corrected for in rates, and bounded by thresholds."""

"""Reports for those who answer for an assistant: what was in force, what was decided, and what the records show."""

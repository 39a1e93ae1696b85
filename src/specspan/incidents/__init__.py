"""Incidents: times in which a clause was violated, what changed before them, and what was done about them."""

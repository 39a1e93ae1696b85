"""Bounds within which an agent may act on its own, their intersection and their JSON form."""

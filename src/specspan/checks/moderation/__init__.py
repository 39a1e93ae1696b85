"""Moderation services, by their own clients, in one form."""

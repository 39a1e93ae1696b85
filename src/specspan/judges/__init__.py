"""Judges at work in the background, what they find after a decision, and what they cost."""

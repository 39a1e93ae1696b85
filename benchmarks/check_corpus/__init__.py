"""Labelled texts in twelve languages, made from templates and numbers with check digits."""

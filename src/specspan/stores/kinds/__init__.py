"""Kinds of store that come with specspan, one module each."""

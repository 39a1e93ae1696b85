"""The kinds of check a policy file can name: one module a kind."""

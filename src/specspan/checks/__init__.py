"""How one clause is decided."""

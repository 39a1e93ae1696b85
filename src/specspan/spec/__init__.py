"""What the clauses are."""

"""What this application does about the clauses of a spec."""

"""Lineage: the chain of records and texts that one decision stands on, from the call to the proof in the ledger."""

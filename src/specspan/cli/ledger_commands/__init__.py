"""Commands of `specspan ledger`, one module each."""

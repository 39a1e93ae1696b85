"""Approvals by what agents' frameworks offer for them, one module each; the framework is imported when it is used."""

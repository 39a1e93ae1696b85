"""Guardrails of other people as checks: their verdicts become findings, their masking becomes our redaction."""

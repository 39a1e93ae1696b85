"""Durable, tamper-evident log of decisions: hash-chained records in append-only files, under signed checkpoints."""

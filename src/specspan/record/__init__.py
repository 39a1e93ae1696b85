"""Recording of decisions: spans, events, metrics, log records and decision records."""

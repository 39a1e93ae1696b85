"""From a call to a decision. Knows no provider and no OpenTelemetry."""

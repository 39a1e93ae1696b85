"""Gate: measurements of a policy before it comes into force, and the thresholds that they have to keep to."""

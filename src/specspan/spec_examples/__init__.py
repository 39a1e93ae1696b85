"""Examples of a spec as tests of a policy: how far the checks agree with the spec's own verdicts."""

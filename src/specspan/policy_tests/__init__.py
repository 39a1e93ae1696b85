"""Tests of a policy: a table of conversations, and the decision expected on each."""

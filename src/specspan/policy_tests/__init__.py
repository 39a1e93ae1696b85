"""Tests of a policy: a table of conversations, and what is expected to be decided about each."""

"""How far a policy's checks agree with what its spec says of its own examples."""

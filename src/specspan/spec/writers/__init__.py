"""Writers of specs: one module a format."""

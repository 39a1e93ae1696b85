"""One module a format that specs are written in."""

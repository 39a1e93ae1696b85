"""One module a framework that runs tools or agents; found by listing."""

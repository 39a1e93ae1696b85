"""Frameworks that run tools or agents, a module each; the modules are found by listing this folder."""

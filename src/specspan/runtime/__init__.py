"""Configuration of specspan in one process, and its life from start to exit."""

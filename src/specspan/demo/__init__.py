"""The demo: a small support desk, its behaviour specification, its policy and conversations, driven for real."""

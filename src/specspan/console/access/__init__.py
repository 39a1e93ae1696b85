"""Access to the console: who is asking, what they may do, and what a browser may be made to do in their name."""

"""Earlier turns of a conversation, as checks see them."""

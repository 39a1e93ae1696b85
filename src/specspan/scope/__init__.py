"""What an agent may do on its own: the record, how it narrows, how it is written."""

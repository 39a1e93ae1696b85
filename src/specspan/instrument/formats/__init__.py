"""Wire formats shared by several providers: requests, responses and streams, read and rewritten."""

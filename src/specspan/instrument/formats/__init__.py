"""Wire formats that several providers share, read both ways: requests, answers, streams, copies with other texts."""

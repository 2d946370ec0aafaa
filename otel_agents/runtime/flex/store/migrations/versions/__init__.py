"""One migration a file; each is frozen once it is released."""

"""Looking inside a language model: what its cells follow in a text, and what it looks back at."""

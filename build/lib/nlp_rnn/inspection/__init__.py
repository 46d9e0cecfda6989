"""Inspect a language model: what its cells track in a text, and what its predictions rest on."""

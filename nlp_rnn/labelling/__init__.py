"""Active learning: which unlabelled texts a person should label next, and reading them back."""

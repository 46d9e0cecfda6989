"""The long-memory experiment: over how many steps networks learn to remember."""

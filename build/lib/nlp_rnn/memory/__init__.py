"""The long-memory experiment: the number of steps over which networks learn to remember."""

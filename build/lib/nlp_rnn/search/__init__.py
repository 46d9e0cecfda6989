"""Hyperparameter search for an experiment: the space, the trials, and their plots."""

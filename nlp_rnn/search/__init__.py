"""Searches for better parameters of an experiment: its space, its trials, their pictures."""

"""Sentence encoders that are learned from consecutive sentences."""

"""Putting a model to use: bundles, batch prediction, generation."""

"""Keras layers that the textbooks name and Keras lacks."""

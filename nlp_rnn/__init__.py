"""Recurrent neural networks for text."""

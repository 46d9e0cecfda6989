"""Adapting a trained language model at test time.

These results are never those of the plain model: a mixture has seen n-gram counts, and the others
learn from the test text as they read it (from each token only after it has been scored).
"""

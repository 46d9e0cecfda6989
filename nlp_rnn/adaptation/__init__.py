"""What one does with a trained language model at test time.

The figures here are never the model's plain ones: a mixture has seen n-gram counts, the others
learn from the test text while they read it (each token only after it has been scored).
"""

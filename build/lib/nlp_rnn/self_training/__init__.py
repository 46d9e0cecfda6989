"""Self-training: a student is trained on unlabelled texts that two teachers labelled."""

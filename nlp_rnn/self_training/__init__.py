"""Self-training: two teachers label unlabelled texts, which a student is trained on."""

"""Models: embeddings, a recurrent encoder and a head for each task."""

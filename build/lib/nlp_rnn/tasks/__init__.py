"""Tasks: each ties together data, model, loss, metrics, baselines and error tables."""

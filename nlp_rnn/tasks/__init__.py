"""Tasks: each ties data, model, loss, metrics, baselines and tables of errors together."""

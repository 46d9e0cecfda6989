"""Baselines that a model must beat: the simplest predictors, estimated on the training split."""

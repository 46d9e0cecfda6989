"""Using a trained model: bundles, batch prediction, generation."""

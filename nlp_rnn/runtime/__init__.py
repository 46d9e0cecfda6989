"""A trained network at work: its bundle, its ONNX graph, and batches of texts through it."""

"""Running a trained network: its bundle, its ONNX graph, and forward passes over batches."""

"""Word vectors: read pretrained ones, draw learned ones, report coverage."""

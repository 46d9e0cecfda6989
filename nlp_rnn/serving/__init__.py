"""Models behind HTTP: what is served, its batches and its limits, the paths, the process."""

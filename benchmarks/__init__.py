"""Speed and memory benchmarks, measured side by side as ratios: ``python -m benchmarks``."""

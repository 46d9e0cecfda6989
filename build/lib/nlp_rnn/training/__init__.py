"""Fitting: objectives, truncated BPTT, schedules, checkpoints and the epoch loop."""

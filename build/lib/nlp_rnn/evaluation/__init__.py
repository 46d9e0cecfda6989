"""Evaluation: exact metrics from sums, error tables, plots."""

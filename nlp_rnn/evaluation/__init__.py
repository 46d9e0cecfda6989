"""Judging: exact metrics from sums, tables of errors, plots."""

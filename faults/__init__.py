"""A campaign of faults: what a project survives, tried on a small one. Run ``make faults``."""

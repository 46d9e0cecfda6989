"""Whether the data are right: copies, contradictions, wrong labels, drift, strange characters."""

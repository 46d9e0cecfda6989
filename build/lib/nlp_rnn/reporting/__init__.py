"""The report of a project: one web page that needs no network and runs nothing."""

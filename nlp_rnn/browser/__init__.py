"""A model as a page for the browser: a static folder that predicts without a server's help."""

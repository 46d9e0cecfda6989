"""What tests share apart from fixtures, which are in ``conftest.py``."""

"""Projects: a folder with ``params.yaml``, and the ``dvc.yaml`` that runs what it says."""

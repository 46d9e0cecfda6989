"""The small files that every project has."""

GITIGNORE = """\
# what the pipeline writes; DVC keeps it
/data/
!/data/*.dvc
/embeddings/
/vectors/*/
/checkpoints/
/models/
/runs/
/metrics/
/figures/
/plots/
/predictions/
/reports/
/search/

# what MLflow writes
/mlflow.db*
/mlartifacts/
/mlruns/

# what a killed process may leave behind
*.partial
"""

DVCIGNORE = """\
# What a killed process may leave behind.
*.partial
"""

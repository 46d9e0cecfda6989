"""What preparing data imports: nothing of the networks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PARAMETERS = """
datasets:
  tags:
    source: grammar
    corpus: entities
    sizes: {train: 20, validation: 5, test: 5}
    tokenizer: {unit: whitespace, lowercase: false}
  text:
    source: files
    format: text
    train: text.txt
    split: {validation: 0.2, test: 0.2}
experiments:
  tagger:
    task: tagging
    dataset: tags
    embeddings: {kind: learned, dimension: 4}
    model: {characters: {kind: cnn}, output: crf}
    training: {}
  words:
    task: language_modelling
    dataset: text
    embeddings: {kind: pretrained, file: vectors.txt, dimension: 2}
    model: {}
    training: {}
"""

NETWORKS = "{'keras', 'tensorflow', 'jax', 'torch', 'mlflow', 'pandas', 'sklearn'}"


@pytest.mark.slow
@pytest.mark.parametrize(("dataset", "experiment"), [("tags", "tagger"), ("text", "words")])
def test_preparing_and_embedding_import_no_backend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: str, experiment: str
) -> None:
    monkeypatch.setenv("NLP_RNN_DATA", str(tmp_path))
    (tmp_path / "params.yaml").write_text(PARAMETERS)
    (tmp_path / "text.txt").write_text("the cat sleeps\n" * 20)
    (tmp_path / "vectors.txt").write_text("the 1 2\ncat 3 4\n")
    code = (
        "import sys\n"
        "from nlp_rnn import stages\n"
        f"stages.prepare({dataset!r})\n"
        f"stages.embed({experiment!r})\n"
        f"imported = {NETWORKS} & set(sys.modules)\n"
        "assert not imported, imported\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert (tmp_path / "embeddings" / experiment / "vectors.npy").exists()

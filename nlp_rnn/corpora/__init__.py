"""Sources of examples: the built-in grammar and memory problems, files, TensorFlow Datasets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nlp_rnn.config import AnyDataset
    from nlp_rnn.corpora.corpus import Corpus


def data_folder() -> Path:
    """The folder of raw data: the environment variable ``NLP_RNN_DATA``, or ``data/raw``."""
    return Path(os.environ.get("NLP_RNN_DATA") or "data/raw")


def open_corpus(
    name: str,
    dataset: AnyDataset,
    folder: Path | None = None,
) -> Corpus:
    """The corpus that a data set of ``params.yaml`` describes.

    Args:
        name: the name of the data set in ``params.yaml``.
        dataset: its parameters.
        folder: the folder of its files; the default is :func:`data_folder`.

    Raises:
        UserError: one of its files is missing or wrong, TFDS does not know it or cannot get it, or
            two splits are the same data.
    """
    # Imported here: the configuration imports this package, and each source has heavy imports.
    folder = data_folder() if folder is None else folder
    if dataset.source == "grammar":
        from nlp_rnn.corpora.built_in import GrammarCorpus

        return GrammarCorpus(name, dataset)
    if dataset.source == "memory":
        from nlp_rnn.corpora.memory import MemoryCorpus

        return MemoryCorpus(name, dataset)
    if dataset.source == "files":
        from nlp_rnn.corpora.files import FilesCorpus

        return FilesCorpus(name, dataset, folder)
    from nlp_rnn.corpora.tfds import TfdsCorpus

    return TfdsCorpus(name, dataset, folder)

"""Sources of examples: built-in ones, files, and libraries of data sets."""

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
    refresh: bool = False,
) -> Corpus:
    """The corpus that a data set of ``params.yaml`` describes.

    Args:
        name: the name of the data set in ``params.yaml``.
        dataset: its parameters.
        folder: where its files lie; default :func:`data_folder`.
        refresh: whether to look for changes of files that are kept as copies.

    Raises:
        UserError: a file of it is missing or wrong, its source does not know it or it cannot be
            downloaded, or two splits are the same data.
    """
    # Imported here: the configuration imports this package, and each source has heavy imports.
    folder = data_folder() if folder is None else folder
    if dataset.source == "grammar":
        from nlp_rnn.corpora.built_in import GrammarCorpus

        return GrammarCorpus(name, dataset)
    if dataset.source == "memory":
        from nlp_rnn.corpora.memory import MemoryCorpus

        return MemoryCorpus(name, dataset)
    if dataset.source == "pairs":
        from nlp_rnn.corpora.built_in import PairsCorpus

        return PairsCorpus(name, dataset)
    if dataset.source == "files":
        from nlp_rnn.corpora.files import FilesCorpus

        return FilesCorpus(name, dataset, folder, refresh)
    if dataset.source == "huggingface":
        from nlp_rnn.corpora.huggingface import HuggingFaceCorpus

        return HuggingFaceCorpus(name, dataset, folder)
    from nlp_rnn.corpora.tfds import TfdsCorpus

    return TfdsCorpus(name, dataset, folder)

"""Stages vector_file and sentence_vector_file: the checksum of the file of word vectors from which
an experiment or a sentence encoder starts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nlp_rnn import paths
from nlp_rnn.config import load_part
from nlp_rnn.files import write_json

if TYPE_CHECKING:
    from nlp_rnn.config.embeddings import AnyEmbeddings


def vector_file(name: str) -> None:
    """Get or find the file of word vectors that an experiment starts from; write its checksum.

    Where the checksum is as before, nothing after this stage runs again. An experiment that starts
    from no file has none.
    """
    embeddings = load_part("experiments", name).experiment(name).embeddings
    _write_checksum(paths.vector_checksum(name), embeddings)


def sentence_vector_file(name: str) -> None:
    """The same as :func:`vector_file` for a sentence encoder."""
    embeddings = load_part("sentences", name).learned_sentences(name).embeddings
    _write_checksum(paths.sentence_vector_checksum(name), embeddings)


def _write_checksum(file: Path, embeddings: AnyEmbeddings) -> None:
    from nlp_rnn.embeddings.initial import checksum_of_file

    write_json(file, checksum_of_file(embeddings))

"""Stage download: the files of a data set, and their checksums."""

from __future__ import annotations

from nlp_rnn import paths
from nlp_rnn.config import load_part
from nlp_rnn.files import write_json


def download(name: str) -> None:
    """Get or find the files of a real data set and write their checksums.

    Where the checksums are as before, nothing after this stage runs again.
    """
    dataset = load_part("datasets", name).dataset(name)

    from nlp_rnn.corpora import open_corpus

    write_json(paths.checksums(name), open_corpus(name, dataset, refresh=True).provenance())

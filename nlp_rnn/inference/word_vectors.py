"""The embedding layer of a trained model as word vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nlp_rnn.embeddings.vectors import WordVectors
from nlp_rnn.errors import UserError
from nlp_rnn.extras import require
from nlp_rnn.runtime.bundle import REMEDY, WEIGHTS, Bundle
from nlp_rnn.text.vocabulary import PAD_INDEX

EMBEDDING = "layers/embedding/vars/0"
"""Where Keras's weight files keep the embedding matrix."""


def embedding_vectors(folder: Path) -> WordVectors:
    """The vectors that a bundle's network looks its words up in, all but that of padding.

    Raises:
        UserError: it is no bundle, or was exported without Keras's weights.
    """
    bundle = Bundle.open(folder)
    file = folder / WEIGHTS
    if not file.is_file():
        raise UserError(
            f"{folder}: has no Keras weights, only an ONNX graph; use the bundle that it was "
            "exported from"
        )
    require("h5py", "train", f"{folder}: its file of weights")

    import h5py

    try:
        with h5py.File(file) as weights:
            matrix = np.asarray(weights[EMBEDDING], np.float32)
        rows = [i for i in range(len(bundle.vocabulary)) if i != PAD_INDEX]
        return WordVectors([bundle.vocabulary.types[i] for i in rows], matrix[rows])
    except (OSError, KeyError, IndexError) as error:
        raise UserError(f"{file}: has no embedding matrix ({error}); {REMEDY}") from None

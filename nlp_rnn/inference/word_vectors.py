"""The embedding layer of a trained model as word vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nlp_rnn.embeddings.vectors import WordVectors
from nlp_rnn.errors import UserError
from nlp_rnn.extras import require
from nlp_rnn.runtime.bundle import REMEDY, WEIGHTS, Bundle
from nlp_rnn.runtime.weights import check_weights
from nlp_rnn.text.vocabulary import PAD_INDEX

EMBEDDING = "layers/embedding/vars/0"
"""The path of the embedding matrix in Keras's weight files."""

OF_ENCODER = f"layers/functional/{EMBEDDING}"
"""The same for an encoder-decoder, whose encoder is a model of its own."""


def embedding_vectors(folder: Path) -> WordVectors:
    """The embedding vectors of a bundle's network, except that of padding.

    Raises:
        UserError: it is not a bundle, or was exported without Keras's weights.
    """
    bundle = Bundle.open(folder)
    file = folder / WEIGHTS
    bundle.require_weights()
    require("h5py", "train", f"{folder}: its file of weights")

    import h5py

    check_weights(file, REMEDY)
    try:
        with h5py.File(file, "r") as weights:
            path = OF_ENCODER if bundle.task.data == "pairs" else EMBEDDING
            matrix = np.asarray(weights[path], np.float32)
        rows = [i for i in range(len(bundle.vocabulary)) if i != PAD_INDEX]
        return WordVectors([bundle.vocabulary.types[i] for i in rows], matrix[rows])
    except (OSError, KeyError, IndexError) as error:
        raise UserError(f"{file}: has no embedding matrix ({error}); {REMEDY}") from None

"""Stage encoder: the embeddings and recurrent layers of a language model, for others."""

from __future__ import annotations

from nlp_rnn import paths
from nlp_rnn.config import load_part
from nlp_rnn.hints import Remedy
from nlp_rnn.stages.common import check_parameters


def encoder(name: str) -> None:
    """Take the embeddings and recurrent layers out of a trained language model, for others."""
    experiment = load_part("experiments", name).encoder(name)

    import numpy as np

    from nlp_rnn.embeddings.encoders import write_encoder
    from nlp_rnn.runtime.bundle import Bundle

    bundle = Bundle.open(paths.bundle(name))
    check_parameters(bundle, experiment, Remedy("train again", name, ("train",)))
    network = bundle.keras_model()  # chooses the backend, which nothing may have imported before

    from nlp_rnn.models.transfer import recurrent_weights

    (vectors,) = network.get_layer("embedding").get_weights()
    write_encoder(
        paths.vectors(name),
        np.asarray(vectors, np.float32),
        recurrent_weights(network),
        bundle.folder / "vocabulary.json",
        {"name": bundle.name, "provenance": bundle.provenance},
    )

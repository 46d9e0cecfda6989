"""Stage embed: the initial vectors of an experiment, and recurrent layers of an encoder."""

from __future__ import annotations

from nlp_rnn import paths
from nlp_rnn.config import load_part
from nlp_rnn.errors import UserError
from nlp_rnn.hints import Remedy
from nlp_rnn.process import log


def embed(name: str) -> None:
    """Write what an experiment starts from: word vectors, and recurrent layers of an encoder."""
    parameters = load_part("experiments", name)
    experiment = parameters.experiment(name)

    from nlp_rnn.embeddings.encoders import is_encoder
    from nlp_rnn.embeddings.initial import write_initial
    from nlp_rnn.text.prepared import PreparedDataset

    source = experiment.embeddings.kind
    if source in parameters.encoders and not is_encoder(paths.vectors(source)):
        raise UserError(
            f"{paths.vectors(source)}: no encoder there; {Remedy('write it', source, ('encoder',))}"
        )
    folds = parameters.folds(experiment.dataset) or 1
    for fold in range(1, folds + 1):
        dataset = PreparedDataset(paths.fold(paths.prepared(experiment.dataset), fold))
        coverage = write_initial(
            paths.fold(paths.embeddings(name), fold),
            experiment.embeddings,
            dataset.vocabulary,
            parameters.seed,
            dataset.card["data_sha256"],
        )
        if "type_coverage" in coverage:
            title = name if folds == 1 else f"{name} fold {fold}"
            log(
                f"{title}: vectors for {coverage['type_coverage']:.1%} of types, "
                f"{coverage['token_coverage']:.1%} of tokens"
            )
        if (known := coverage.get("contextual")) is not None:
            log(
                f"{name}: {known['vectors']} knows {known['type_coverage']:.1%} of types, "
                f"{known['token_coverage']:.1%} of tokens"
            )

"""Stage vectors for ELMo: a forward and a backward language model, learned from a data set."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from nlp_rnn import backend, paths
from nlp_rnn.process import log

if TYPE_CHECKING:
    from nlp_rnn.config import ElmoVectors, Parameters


def contextual_vectors(
    name: str, run_name: str, parameters: Parameters, section: ElmoVectors
) -> None:
    """Learn both language models; an interrupted run resumes."""
    from nlp_rnn.text.prepared import PreparedDataset

    dataset = PreparedDataset(paths.prepared(section.dataset))
    backend_name = backend.select(parameters.backend)

    from keras import ops

    from nlp_rnn.embeddings.contextual import write_language_models
    from nlp_rnn.models.contextual import (
        bidirectional_language_model,
        context_weights,
        neighbour_losses,
    )
    from nlp_rnn.tasks.neighbours import Neighbours
    from nlp_rnn.training.checkpoint import Checkpoint, fingerprint
    from nlp_rnn.training.fit import fit
    from nlp_rnn.training.objective import NeighboursObjective, compiled

    origin = {
        **section.model_dump(),
        "seed": parameters.seed,
        "backend": backend_name,
        "data_sha256": dataset.card["data_sha256"],
    }
    backend.deterministic(parameters.seed)
    task = Neighbours(dataset, section, parameters.seed)
    network = bidirectional_language_model(len(dataset.vocabulary), section)
    objective = compiled(NeighboursObjective(network), task.training)
    losses = neighbour_losses(network)
    checkpoint = Checkpoint(paths.checkpoints(run_name), fingerprint(origin))
    started = time.perf_counter()
    progress = fit(
        objective,
        task.batches,
        lambda: {"validation/loss": task.loss(losses)},
        task.training,
        checkpoint,
    )
    perplexity = math.exp(progress.history[progress.best_epoch - 1]["validation/loss"])
    log(
        f"{name}: perplexity {perplexity:.1f} of the words after and before, "
        f"{time.perf_counter() - started:.0f} s"
    )
    (vectors,) = network.get_layer("embedding").get_weights()
    weights = {key: ops.convert_to_numpy(w) for key, w in context_weights(network).items()}
    card = {
        "name": name,
        **origin,
        "words": dataset.vocabulary.words,
        "tokens": sum(map(len, task.train)),
        "validation_perplexity": perplexity,
        "licence": dataset.card["licence"],
        "citation": dataset.card["citation"],
    }
    write_language_models(paths.vectors(name), vectors, weights, dataset.vocabulary, card)
    checkpoint.clear()

"""Stages vectors, encoder, vector_file and embed: what an experiment starts from."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from nlp_rnn import paths
from nlp_rnn.config import GrammarDataset, Parameters, load
from nlp_rnn.errors import UserError
from nlp_rnn.hints import Remedy
from nlp_rnn.process import log
from nlp_rnn.stages.common import check_parameters, only_one

if TYPE_CHECKING:
    from nlp_rnn.config import AnyVectors


def vectors(name: str) -> None:
    """Learn word vectors from a data set; an interrupted run goes on where it was."""
    parameters = load()
    section = parameters.learned_vectors(name)
    run_name = f"vectors-{name}"
    with only_one(paths.checkpoints(run_name), run_name):
        _vectors(name, run_name, parameters, section)


def _vectors(name: str, run_name: str, parameters: Parameters, section: AnyVectors) -> None:
    from nlp_rnn.embeddings.learned import LearnedVectors
    from nlp_rnn.embeddings.learning.corpus import TokenCorpus
    from nlp_rnn.embeddings.learning.learner import learn
    from nlp_rnn.text.prepared import PreparedDataset
    from nlp_rnn.text.vocabulary import UNK
    from nlp_rnn.training.checkpoint import Checkpoint, Progress, fingerprint

    dataset = PreparedDataset(paths.prepared(section.dataset))
    corpus = TokenCorpus.of(dataset.split("train"), dataset.vocabulary.types, section.min_count)
    origin = {
        **section.model_dump(),
        "seed": parameters.seed,
        "data_sha256": dataset.card["data_sha256"],
    }
    checkpoint = Checkpoint(paths.checkpoints(run_name), fingerprint(origin))
    saved = checkpoint.load()
    started = time.perf_counter()
    learned, subwords = learn(
        corpus,
        section,
        parameters.seed,
        (saved[-1].epoch, saved[0]) if saved else None,
        lambda epoch, arrays: checkpoint.save(arrays, [], Progress(epoch=epoch)),
    )
    log(
        f"{name}: {len(learned):,} words from {len(corpus.ids):,} tokens in "
        f"{time.perf_counter() - started:.1f} s"
    )
    known = sum(n for word, n in zip(corpus.words, corpus.counts, strict=True) if word != UNK)
    card = {
        "name": name,
        **origin,
        "words": len(learned),
        "tokens": len(corpus.ids),
        "token_coverage": float(known / len(corpus.ids)),
        "licence": dataset.card["licence"],
        "citation": dataset.card["citation"],
    }
    source = parameters.dataset(section.dataset)
    if isinstance(source, GrammarDataset):
        from nlp_rnn.corpora.grammar import classes_of_words
        from nlp_rnn.embeddings.classes import evaluate_classes

        classes = evaluate_classes(learned, classes_of_words(source.corpus))
        log(f"{name}: {classes}")
        card["word_classes"] = asdict(classes)
    LearnedVectors(learned, subwords, card).write(paths.vectors(name))
    checkpoint.clear()


def encoder(name: str) -> None:
    """Take the embeddings and recurrent layers out of a trained language model, for others."""
    experiment = load().encoder(name)

    import numpy as np

    from nlp_rnn.embeddings.encoders import write_encoder
    from nlp_rnn.inference.bundle import Bundle

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


def vector_file(name: str) -> None:
    """Get or find the file of word vectors that an experiment starts from; write its checksum.

    Where the checksum is as before, nothing after this stage runs again. An experiment that starts
    from no file has none.
    """
    embeddings = load().experiment(name).embeddings

    from nlp_rnn.embeddings.initial import checksum_of_file
    from nlp_rnn.files import write_json

    write_json(paths.vector_checksum(name), checksum_of_file(embeddings))


def embed(name: str) -> None:
    """Write what an experiment starts from: word vectors, and recurrent layers of an encoder."""
    parameters = load()
    experiment = parameters.experiment(name)

    from nlp_rnn.embeddings.encoders import is_encoder
    from nlp_rnn.embeddings.initial import write_initial
    from nlp_rnn.text.prepared import PreparedDataset

    dataset = PreparedDataset(paths.prepared(experiment.dataset))
    source = experiment.embeddings.kind
    if source in parameters.all_encoders and not is_encoder(paths.vectors(source)):
        raise UserError(
            f"{paths.vectors(source)}: no encoder there; {Remedy('write it', source, ('encoder',))}"
        )
    coverage = write_initial(
        paths.embeddings(name),
        experiment.embeddings,
        dataset.vocabulary,
        parameters.seed,
        dataset.card["data_sha256"],
    )
    if "type_coverage" in coverage:
        log(
            f"{name}: vectors for {coverage['type_coverage']:.1%} of types, "
            f"{coverage['token_coverage']:.1%} of tokens"
        )

"""Stage vectors: word vectors learned from a data set."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from nlp_rnn import paths
from nlp_rnn.config import ElmoVectors, GrammarDataset, Parameters, load_part
from nlp_rnn.process import log
from nlp_rnn.stages.common import only_one
from nlp_rnn.stages.contextual import contextual_vectors

if TYPE_CHECKING:
    from nlp_rnn.config import WordVectorsParameters


def vectors(name: str) -> None:
    """Learn word vectors from a data set; an interrupted run goes on where it was."""
    parameters = load_part("vectors", name)
    section = parameters.learned_vectors(name)
    run_name = f"vectors-{name}"
    with only_one(paths.checkpoints(run_name), run_name):
        if isinstance(section, ElmoVectors):
            contextual_vectors(name, run_name, parameters, section)
        else:
            _vectors(name, run_name, parameters, section)


def _vectors(
    name: str, run_name: str, parameters: Parameters, section: WordVectorsParameters
) -> None:
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
        (saved.progress.epoch, saved.variables) if saved else None,
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

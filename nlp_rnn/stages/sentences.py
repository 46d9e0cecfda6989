"""Stage sentences: a sentence encoder learned from the consecutive sentences of a data set."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nlp_rnn import backend, paths
from nlp_rnn.config import Parameters, load_part
from nlp_rnn.process import log
from nlp_rnn.stages.common import only_one

if TYPE_CHECKING:
    from nlp_rnn.config import AnySentences
    from nlp_rnn.embeddings.vectors import WordVectors
    from nlp_rnn.sentences.corpus import SentenceCorpus
    from nlp_rnn.text.prepared import PreparedDataset


def sentences(name: str) -> None:
    """Learn a sentence encoder from a data set; an interrupted run resumes where it was."""
    parameters = load_part("sentences", name)
    section = parameters.learned_sentences(name)
    run_name = f"sentences-{name}"
    with only_one(paths.checkpoints(run_name), run_name):
        _sentences(name, run_name, parameters, section)


def _sentences(name: str, run_name: str, parameters: Parameters, section: AnySentences) -> None:
    backend_name = backend.select(parameters.backend)
    backend.deterministic(parameters.seed)

    from dataclasses import replace

    from nlp_rnn.sentences.corpus import check_size
    from nlp_rnn.sentences.learning import learn
    from nlp_rnn.sentences.words import word_vectors
    from nlp_rnn.text.prepared import PreparedDataset
    from nlp_rnn.training.checkpoint import Checkpoint, fingerprint

    dataset = PreparedDataset(paths.prepared(section.dataset))
    vectors, source = word_vectors(section.embeddings, dataset.vocabulary, parameters.seed)
    splits = {split: _corpus(dataset, split, section, vectors) for split in ("train", "validation")}
    for split, corpus in splits.items():
        check_size(name, split, corpus)
    log(
        f"{name}: {len(splits['train']):,} sentences of {len(splits['train'].ids):,} words, "
        f"{len(vectors):,} word vectors"
    )
    origin = {
        **section.model_dump(mode="json"),
        "seed": parameters.seed,
        "backend": backend_name,
        "data_sha256": dataset.card["data_sha256"],
        "word_vectors": source,
    }
    checkpoint = Checkpoint(paths.checkpoints(run_name), fingerprint(origin))
    started = time.perf_counter()
    encoder, progress = learn(
        splits["train"],
        splits["validation"],
        vectors,
        section,
        parameters.seed,
        checkpoint,
    )
    log(f"{name}: learned in {(time.perf_counter() - started) / 60:.1f} minutes")
    card = {
        "name": name,
        **origin,
        "versions": backend.versions(),
        "words": len(vectors),
        "sentences": len(splits["train"]),
        "tokens": len(splits["train"].ids),
        "kept_epoch": progress.best_epoch,
        "history": progress.history,
        "licence": dataset.card["licence"],
        "citation": dataset.card["citation"],
    }
    replace(encoder, card=card).write(paths.vectors(name))
    checkpoint.clear()


def _corpus(
    dataset: PreparedDataset, split: str, section: AnySentences, vectors: WordVectors
) -> SentenceCorpus:
    """The sentences of a split."""
    from nlp_rnn.progress import progress
    from nlp_rnn.sentences.corpus import corpus_of, documents_of
    from nlp_rnn.text.documents import sentence_splitter

    splitter = sentence_splitter(section.language) if section.examples == "documents" else None
    records = progress(dataset.split(split).records(), f"sentences of {split}", "texts")
    documents = documents_of(
        (record["text"] for record in records), splitter, dataset.tokenizer.parameters.html_breaks
    )
    return corpus_of(documents, dataset.tokenizer.tokens, vectors)

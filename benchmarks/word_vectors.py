"""Word vectors: the speed of reading and of learning them, compared with gensim.

Files have as many words and numbers as GloVe's largest file for 6 billion tokens (``--quick``: a
twentieth). Vectors are learned from random words with Zipf's frequencies, because speed does not
depend on what the words mean.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.harness import Report, Result, Row, Worker, number, race, ratio
from benchmarks.preparation import Slice
from nlp_rnn.config import GloveVectors, Word2VecVectors
from nlp_rnn.embeddings.learning.corpus import TokenCorpus

DIMENSION = 300
SENTENCE = 25
SECTION = {"dataset": "random", "dimension": 100, "epochs": 1}
SKIP_GRAM = Word2VecVectors.model_validate({**SECTION, "algorithm": "word2vec"})
LEARNED: dict[str, Word2VecVectors | GloveVectors] = {
    "word2vec": SKIP_GRAM,
    "glove": GloveVectors.model_validate({**SECTION, "algorithm": "glove"}),
}


def write_vectors(file: Path, words: int) -> None:
    """Write a file in GloVe's format; the numbers repeat every 2,000 words."""
    rng = np.random.default_rng(1)
    rows = [" ".join(f"{x:.5f}" for x in rng.normal(size=DIMENSION)) for _ in range(2000)]
    with file.open("w", encoding="utf-8") as stream:
        for word in range(words):
            stream.write(f"w{word} {rows[word % len(rows)]}\n")


def reading(file: str, words: int, every: int) -> Slice:
    """A contestant: read the vectors of one in ``every`` words; its work is all ``words``."""
    from nlp_rnn.embeddings.reading import load_vectors

    wanted = {f"w{word}" for word in range(0, words, every)} if every > 1 else None

    def slice_() -> dict[str, float]:
        load_vectors(file, wanted=wanted)
        return {"work": words}

    return slice_


def reading_by_gensim(file: str) -> Slice:
    """A contestant: gensim reads all vectors."""
    from gensim.models import KeyedVectors

    def slice_() -> dict[str, float]:
        return {"work": len(KeyedVectors.load_word2vec_format(file, no_header=True))}

    return slice_


def corpus(tokens: int) -> TokenCorpus:
    """Sentences of random words with Zipf's frequencies, with at most 30,000 types."""
    rng = np.random.default_rng(1)
    ids = np.minimum(rng.zipf(1.2, tokens) - 1, 29_999)
    types, ids, counts = np.unique(ids, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    place = np.argsort(order)
    offsets = np.arange(0, tokens + 1, SENTENCE)
    words = [f"w{types[i]}" for i in order]
    return TokenCorpus(words, counts[order], place[ids].astype(np.int32), offsets)


def learning(tokens: int, algorithm: str) -> Slice:
    """A contestant: one epoch of skip-gram or GloVe, including counting; its work is tokens."""
    from nlp_rnn.embeddings.learning.learner import learn

    text, parameters = corpus(tokens), LEARNED[algorithm]

    def slice_() -> dict[str, float]:
        learn(text, parameters, seed=1)
        return {"work": tokens}

    return slice_


def learning_by_gensim(tokens: int) -> Slice:
    """A contestant: gensim called directly with the same parameters on sentences in memory."""
    from gensim.models import Word2Vec

    from nlp_rnn.embeddings.learning.word2vec import options

    sentences = list(corpus(tokens).sentences())
    same = options(SKIP_GRAM, seed=1)

    def slice_() -> dict[str, float]:
        Word2Vec(sentences, epochs=SKIP_GRAM.epochs, **same)
        return {"work": tokens}

    return slice_


def measure(report: Report, only: str) -> None:
    """Measure reading and learning, if their name contains ``only``."""
    here, rounds = "benchmarks.word_vectors:", 2 if report.quick else 3
    if only in "reading":
        with tempfile.TemporaryDirectory() as folder:
            file, words = Path(folder) / "vectors.txt", 20_000 if report.quick else 400_000
            write_vectors(file, words)
            text = {"file": str(file)}
            ours = text | {"words": words}
            contestants = [
                Worker("gensim", f"{here}reading_by_gensim", text),
                Worker("ours", f"{here}reading", ours | {"every": 1}),
                Worker("ours, a tenth of the words", f"{here}reading", ours | {"every": 10}),
            ]
            results = race("reading", contestants, rounds, warm=0)
        report.add_race("Reading vectors", _rows(results, "words/s"), results)
    if only in "learning":
        text_of = {"tokens": 250_000 if report.quick else 2_000_000}
        contestants = [
            Worker("gensim", f"{here}learning_by_gensim", text_of),
            Worker("skip-gram", f"{here}learning", text_of | {"algorithm": "word2vec"}),
            Worker("GloVe", f"{here}learning", text_of | {"algorithm": "glove"}),
        ]
        results = race("learning", contestants, rounds)
        report.add_race("Learning vectors, an epoch", _rows(results, "tokens/s"), results)


def _rows(results: dict[str, Result], unit: str) -> list[Row]:
    reference = next(iter(results.values()))
    return [
        {
            "": result.name,
            "times gensim": ratio(result, reference),
            unit: number(result.speed),
            "seconds": number(result.median("seconds")),
            "cores busy": number(result.median("cores")),
            "peak MiB": number(result.median("peak_mib")),
        }
        for result in results.values()
    ]

"""Choose texts to label next, and write them with a model's suggestions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats
from nlp_rnn.config.data import ANNOTATION_FORMATS
from nlp_rnn.errors import UserError
from nlp_rnn.extras import require
from nlp_rnn.inference.annotating import open_annotations
from nlp_rnn.inference.batch import annotating, open_all, output_dialect, read_once
from nlp_rnn.inference.inputs import (
    TABLES,
    Chunk,
    Columns,
    DocumentChunk,
    JsonChunk,
    SentenceChunk,
    Source,
)
from nlp_rnn.inference.items import Item, as_text
from nlp_rnn.inference.outputs import Writer, open_writer
from nlp_rnn.inference.predictor import Predictor, check_lengths
from nlp_rnn.inference.reading import AS_TRAINED, Reading, Remembered, open_input
from nlp_rnn.labelling.beliefs import beliefs, check_model, encoder_vectors
from nlp_rnn.labelling.diversity import k_centre, k_means, tf_idf
from nlp_rnn.labelling.scores import DISAGREEMENT, UNCERTAINTY, Belief, score
from nlp_rnn.process import log, terminable
from nlp_rnn.progress import progress
from nlp_rnn.runtime.bundle import Bundle

DIVERSITY = ("k-means", "k-center")
STRATEGIES = (*UNCERTAINTY, *DISAGREEMENT, *DIVERSITY, "random")
"""The ways to choose."""

SCORE = "score"
"""The column of the score of a chosen text."""

DIGITS = 6


@dataclass(frozen=True)
class Choice:
    """How texts are chosen.

    Attributes:
        by: one of :data:`STRATEGIES`; None is ``entropy`` for one model, ``kl`` for several.
        number: how many.
        per_word: whether the score of a sentence is divided by its words.
        among: for k-means and k-center, the number of texts with the highest entropy among which
            they choose; None for all.
        vectors: what they compare.
        seed: of ``random`` and ``k-means``.
    """

    by: str | None = None
    number: int = 100
    per_word: bool = False
    among: int | None = None
    vectors: Literal["encoder", "tf-idf"] = "encoder"
    seed: int = 1

    def strategy(self, models: int) -> str:
        """The strategy for so many models.

        Raises:
            UserError: the options do not fit each other.
        """
        by = self.by or ("entropy" if models == 1 else "kl")
        if by in DISAGREEMENT and models == 1:
            raise UserError(
                f"--by {by}: compares several models; name two or more, such as seeds of one "
                "experiment, or choose another strategy"
            )
        if self.among is not None and by not in DIVERSITY:
            raise UserError(f"--among is for --by {' and '.join(DIVERSITY)}; leave it out")
        if self.per_word and by not in UNCERTAINTY:
            raise UserError(f"--per-word is for --by {', '.join(UNCERTAINTY)}; leave it out")
        return by


DEFAULT = Choice()


@dataclass(frozen=True)
class Pool:
    """Texts to choose from, each once.

    Attributes:
        items: the texts, or sentences of words.
        places: the chunk of each, and its number there.
        chunks: the chunks of the file.
    """

    items: Sequence[Item]
    places: Sequence[tuple[int, int]]
    chunks: Sequence[Chunk]

    @classmethod
    def of(cls, source: Source, labelled: Iterable[str], has_words: Callable[[Item], bool]) -> Pool:
        """The texts of a file that have words and are not labelled already; copies count once."""
        seen = {text.strip() for text in labelled}
        chunks = list(source.read())
        items, places = [], []
        for number, chunk in enumerate(chunks):
            for i, item in enumerate(chunk.items):
                text = as_text(item).strip()
                if text not in seen and has_words(item):
                    seen.add(text)
                    items.append(item)
                    places.append((number, i))
        return cls(items, places, chunks)

    def chunk(self, i: int, more: Mapping[str, Any]) -> Chunk:
        """A text as a chunk of its own, with its row of the file and ``more`` columns."""
        number, place = self.places[i]
        chunk, items = self.chunks[number], [self.items[i]]
        if isinstance(chunk, SentenceChunk):
            sentence = [each for each in chunk.sentences if each.words][place]
            return SentenceChunk([chunk.items[place]], [sentence], chunk.format, chunk.text_column)
        rows = chunk.rows()
        row = next(row for j, row in enumerate(rows) if j == place)
        texts = [as_text(item) for item in items]
        if isinstance(chunk, DocumentChunk):
            return DocumentChunk(texts, [{**row, **more}], [chunk.names[place]])
        return JsonChunk(texts, [{**row, **more}])


def choose_texts(
    folders: Sequence[Path],
    input: str,
    output: str,
    choice: Choice = DEFAULT,
    labelled: Sequence[str] = (),
    reading: Reading = AS_TRAINED,
    format: str | None = None,
) -> None:
    """Choose texts of ``input`` and write them into ``output`` with the first model's predictions.

    Args:
        folders: the bundles, of one task with the same labels.
        input: as for :func:`~nlp_rnn.inference.batch.predict_file`.
        output: likewise.
        choice: how many texts, and which.
        labelled: files with texts that are labelled already: they are not chosen, and k-center
            covers what they leave uncovered.
        reading: how ``input`` is read.
        format: the format of ``output``; None is that of its suffix.

    Raises:
        UserError: the models do not go together, or a file or an option is invalid.
    """
    by = choice.strategy(len(folders))
    bundle, source, format = open_all(folders[0], input, output, reading, format)
    others = [Bundle.open(folder) for folder in folders[1:]]
    for each in (bundle, *others):
        check_model(each)
    for each in others:
        _check_same(bundle, each)
    known = read_once(source, True, output, format, partial(check_lengths, bundle))
    predictor = Predictor.of(bundle)
    already = [text for file in labelled for text in _texts(file, bundle)]
    pool = Pool.of(source, already, _has_words(bundle))
    if not pool.items:
        raise UserError(f"{input}: has no text that has words and is not labelled already")
    predictors = [predictor, *map(Predictor.of, others)]
    chosen, scores = choose(predictors, pool.items, choice, by, already)
    with terminable(), _opened(output, format, known.columns, predictor, source) as writer:
        for i in chosen.tolist():
            value = round(float(scores[i]), DIGITS)
            more = {SCORE: value} if format in ANNOTATION_FORMATS else {}
            (prediction,) = predictor.predict([pool.items[i]])
            writer.write(pool.chunk(i, more), [prediction | {SCORE: value}])
    log(f"{len(chosen):,} of {len(pool.items):,} texts chosen by {by}; they are in {output}")


def choose(
    predictors: Sequence[Predictor],
    items: Sequence[Item],
    choice: Choice,
    by: str,
    labelled: Sequence[str] = (),
) -> tuple[NDArray[np.intp], Floats]:
    """The numbers of the chosen texts, best first, and the score of every text ``(texts,)``.

    The score of a strategy that has none is the entropy.

    Args:
        labelled: texts that are labelled already.
    """
    scored = by if by in (*UNCERTAINTY, *DISAGREEMENT) else "entropy"
    believed = [
        list(progress(beliefs(each, items), each.bundle.name, "texts", len(items)))
        for each in predictors
    ]
    of_each: list[tuple[Belief, ...]] = list(zip(*believed, strict=True))
    scores = np.array([score(scored, each, choice.per_word) for each in of_each])
    entropies = np.array([score("entropy", each) for each in of_each])
    count = min(choice.number, len(items))
    ranked = np.lexsort((-entropies, -scores))
    if by == "random":
        return np.random.default_rng(choice.seed).permutation(len(items))[:count], scores
    if by not in DIVERSITY:
        return ranked[:count], scores
    pool = np.sort(ranked[: choice.among or len(items)])
    count = min(count, len(pool))
    vectors = _vectors(predictors[0], [*(items[i] for i in pool), *labelled], choice)
    if by == "k-center":
        known = range(len(pool), len(pool) + len(labelled))
        return pool[k_centre(vectors, count, known)], scores
    return pool[k_means(vectors[: len(pool)], count, choice.seed)], scores


def _vectors(predictor: Predictor, items: Sequence[Item], choice: Choice) -> Any:
    """The vectors of texts, ``(texts, width)``."""
    require("sklearn", "train", "--by " + " and ".join(DIVERSITY))
    if choice.vectors == "encoder":
        return encoder_vectors(predictor.bundle, predictor, items)
    tokenizer = predictor.bundle.tokenizer
    return tf_idf([tokenizer.tokens(as_text(item)) for item in items])


def _opened(
    output: str, format: str, columns: Columns, predictor: Predictor, source: Source
) -> AbstractContextManager[Writer]:
    """The writer of ``output``."""
    if format in ANNOTATION_FORMATS:
        return open_annotations(output, format, annotating(predictor, source, None))
    dialect = output_dialect(source, format) if format in TABLES else None
    return open_writer(output, format, columns, {**predictor.columns, SCORE: float}, dialect)


def _check_same(bundle: Bundle, other: Bundle) -> None:
    """Raise UserError unless two models say the same of texts."""
    if other.experiment.task != bundle.experiment.task:
        raise UserError(
            f"{other.folder}: a model for {other.experiment.task}, but {bundle.folder} is one for "
            f"{bundle.experiment.task}; name models of one task"
        )
    if other.labels != bundle.labels:
        raise UserError(
            f"{other.folder}: has other labels than {bundle.folder}, or in another order; name "
            "models of the same data, such as its seeds"
        )
    own, given = bundle.tokenizer.parameters, other.tokenizer.parameters
    if bundle.task.tagged and own != given:
        raise UserError(
            f"{other.folder}: cuts texts into other words than {bundle.folder}; name models of "
            "the same data"
        )


def _has_words(bundle: Bundle) -> Callable[[Item], bool]:
    """A function that says whether a text has words."""
    return lambda item: (
        bool(item) and (not isinstance(item, str) or bool(bundle.tokenizer.tokens(item)))
    )


def _texts(file: str, bundle: Bundle) -> list[str]:
    """The texts of a file that are labelled already."""
    source = open_input(file, AS_TRAINED, Remembered.of(bundle), "replace")
    return [as_text(item) for chunk in source.read() for item in chunk.items]

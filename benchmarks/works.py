"""The workloads of the benchmarks: networks, and text of realistic lengths.

The workloads have the sizes of Zaremba et al. (2014), a tagger for Universal Dependencies and a
classifier for film reviews. If ``NLP_RNN_DATA`` is set they read the real data, otherwise random
words with Zipf's frequencies and similar lengths.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from benchmarks.harness import PROJECT
from nlp_rnn.config import (
    AnyExperiment,
    BatchTrainingParameters,
    EncoderDecoderParameters,
    EncoderParameters,
    Experiment,
    LanguageModelTrainingParameters,
    TokenizerParameters,
    VocabularyParameters,
    load,
)
from nlp_rnn.corpora import open_corpus
from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.corpora.splits import with_all_splits
from nlp_rnn.example import SPLITS, Example, Kind
from nlp_rnn.text.batches import (
    Batch,
    example_batches,
    mini_batches,
    pair_batches,
)
from nlp_rnn.text.bounds import PairBounds
from nlp_rnn.text.prepared import PreparedDataset, prepare
from nlp_rnn.text.streams import fixed_widths, stream_steps, windows

SEED = 1


@dataclass(frozen=True)
class Text:
    """A random corpus.

    Attributes:
        kind: the kind of its examples.
        vocabulary: the size of the vocabulary, including special types.
        examples: the number of examples in the training split; the other splits have a tenth.
        length: the median number of words in an example.
        spread: the standard deviation of the logarithm of lengths.
        labels: the number of labels or tags.
    """

    kind: Kind
    vocabulary: int
    examples: int
    length: int
    spread: float = 0.0
    labels: int = 0


class RandomCorpus(Corpus):
    """Examples as described by :class:`Text`, generated anew each time they are read.

    They are learnable: each word has a tag, which for every third word depends on the word before
    it; a text is positive if most of its words that have a polarity are.
    """

    def __init__(self, text: Text) -> None:
        self.name = "random"
        self.kind = text.kind
        self._text = text
        special = 3 if text.kind == "text" else 2
        self._words = np.array([f"w{i}" for i in range(text.vocabulary - special)])
        weights = 1 / np.arange(1, len(self._words) + 1)
        self._cumulative = np.cumsum(weights) / weights.sum()

    def splits(self) -> tuple[str, ...]:
        return SPLITS

    def origin(self, split: str) -> str:
        return f"random words, {split}"

    def provenance(self) -> dict[str, Any]:
        return {"source": "random words", "files": {}, "licence": "none", "citation": "none"}

    def read(self, split: str) -> Iterator[Example]:
        text, rng = self._text, np.random.default_rng([SEED, SPLITS.index(split)])
        examples = text.examples if split == "train" else max(8, text.examples // 10)
        normal = rng.normal(np.log(text.length), text.spread, examples)
        for length in np.maximum(1, np.exp(normal).round()).astype(int).tolist():
            ranks = np.searchsorted(self._cumulative, rng.random(length))
            yield self._example(np.minimum(ranks, len(self._words) - 1))
        if split == "train":  # every word once, so that the vocabulary has the right size
            for ranks in np.array_split(np.arange(len(self._words)), len(self._words) // 20 + 1):
                yield self._example(ranks)

    def _example(self, ranks: NDArray[np.integer[Any]]) -> Example:
        words, labels = self._words[ranks].tolist(), max(self._text.labels, 1)
        if self.kind == "tagged":
            before = np.concatenate([[0], ranks[:-1]])
            tags = (ranks + (ranks % 3 == 0) * before) % labels
            return Example(tokens=tuple(words), tags=tuple(f"T{tag}" for tag in tags))
        if self.kind == "pairs":
            return Example(text=" ".join(words), target=" ".join(reversed(words)))
        polarity = (ranks % 7 == 0).sum() - (ranks % 7 == 1).sum()
        return Example(text=" ".join(words), label="positive" if polarity > 0 else "negative")


@dataclass(frozen=True)
class Work:
    """A network to train, and the text to train it on.

    Attributes:
        parameters: the parameters of the experiment, as in ``params.yaml``.
        text: random text to train it on.
        real: the data set of ``params.yaml`` to train it on instead, if its files exist.
        steps: the number of batches in a slice.
    """

    name: str
    parameters: dict[str, Any]
    text: Text
    real: str
    steps: int

    @property
    def experiment(self) -> AnyExperiment:
        """The parameters, typed."""
        found: AnyExperiment = TypeAdapter(Experiment).validate_python(
            {"dataset": self.real, **self.parameters}
        )
        return found

    def with_model(self, name: str, **options: Any) -> Work:
        """The same workload with other options of the model."""
        return replace(self._with("model", options), name=name)

    def with_training(self, **options: Any) -> Work:
        """The same workload with other options of the training."""
        return self._with("training", options)

    def _with(self, section: str, options: dict[str, Any]) -> Work:
        changed = {section: self.parameters[section] | options}
        return replace(self, parameters=self.parameters | changed)

    def quick(self) -> Work:
        """The same workload with short slices."""
        return replace(self, steps=max(1, self.steps // 8))

    def to_json(self) -> dict[str, Any]:
        """The JSON form for :func:`from_json` in another process."""
        return asdict(self)


def from_json(data: dict[str, Any]) -> Work:
    """The inverse of :meth:`Work.to_json`."""
    return Work(**data | {"text": Text(**data["text"])})


def language_model(units: int, steps: int) -> Work:
    """A language model with two layers, as in Zaremba et al. (2014)."""
    return Work(
        f"language model 2x{units}",
        {
            "task": "language_modelling",
            "embeddings": {"kind": "learned", "dimension": units},
            "model": {"cell": "lstm", "units": units, "layers": 2},
            "training": {
                "optimizer": "sgd",
                "learning_rate": 1.0,
                "clip_norm": 5.0,
                "batch_size": 20,
                "window": 35,
            },
        },
        Text("text", vocabulary=10_000, examples=3_000, length=20, spread=0.5),
        "ptb",
        steps,
    )


TAGGER = Work(
    "tagger BiLSTM 2x100 + CRF",
    {
        "task": "tagging",
        "embeddings": {"kind": "learned", "dimension": 100},
        "model": {
            "cell": "lstm",
            "units": 100,
            "layers": 2,
            "bidirectional": True,
            "output": "crf",
        },
        "training": {"learning_rate": 0.003, "clip_norm": 1.0, "batch_size": 32},
    },
    Text("tagged", vocabulary=9_000, examples=6_400, length=12, spread=0.9, labels=17),
    "ewt-upos",
    steps=40,
)

SENTIMENT = Work(
    "sentiment BiLSTM-64",
    {
        "task": "classification",
        "embeddings": {"kind": "learned", "dimension": 100},
        "model": {"cell": "lstm", "units": 64, "bidirectional": True, "pooling": "max"},
        "training": {
            "learning_rate": 0.001,
            "clip_norm": 1.0,
            "batch_size": 32,
            "max_length": 400,
        },
    },
    Text("labelled", vocabulary=20_000, examples=3_200, length=210, spread=0.6),
    "imdb",
    steps=10,
)

TRANSLATION = Work(
    "encoder-decoder GRU 256 + 400, attention",
    {
        "task": "sequence_to_sequence",
        "embeddings": {"kind": "learned", "dimension": 256},
        "model": {"cell": "gru", "units": 256, "decoder_units": 400, "attention": "general"},
        "training": {"learning_rate": 0.001, "clip_norm": 1.0, "batch_size": 64},
    },
    Text("pairs", vocabulary=6_000, examples=6_400, length=13, spread=0.35),
    "translation-pairs",
    steps=8,
)

LSTM = (language_model(200, 25), language_model(650, 5), TAGGER, SENTIMENT)
GRU = tuple(work.with_model(work.name.replace("LSTM", "GRU"), cell="gru") for work in LSTM)
TRAINED = (
    *LSTM,
    *(replace(w, name=w.name if "GRU" in w.name else f"{w.name}, GRU") for w in GRU),
    TRANSLATION,
)


def prepared(work: Work, folder: Path) -> Path:
    """The workload's data, prepared in ``folder`` unless it exists there already."""
    real = bool(os.environ.get("NLP_RNN_DATA"))
    target = folder / (work.real if real else "-".join(map(str, asdict(work.text).values())))
    if target.exists():
        return target
    corpus: Corpus = RandomCorpus(work.text)
    units = TokenizerParameters(unit="whitespace", lowercase=False)
    vocabulary = VocabularyParameters()
    if real:
        dataset = load(PROJECT / "params.yaml").dataset(work.real)
        corpus = with_all_splits(open_corpus(work.real, dataset), dataset.split, dataset.seed)
        units, vocabulary = dataset.tokenizer, dataset.vocabulary
    prepare(work.real, corpus, units, vocabulary, target)
    return target


def batches(experiment: AnyExperiment, dataset: PreparedDataset, epoch: int = 0) -> Iterator[Batch]:
    """The training batches of an epoch, as in the tasks, but without importing Keras."""
    split, training = dataset.split("train"), experiment.training
    if isinstance(training, LanguageModelTrainingParameters):
        assert training.window is not None
        widths = fixed_widths(stream_steps(len(split.ids), training.batch_size), training.window)
        return windows(split.ids, dataset.vocabulary.end_index, training.batch_size, widths)
    assert isinstance(training, BatchTrainingParameters)
    if split.kind == "pairs":
        sides = split.lengths, split.target_lengths
        bounds, size = PairBounds.of(*sides), training.batch_size
        rows = mini_batches(bounds.keys(*sides), size, np.random.default_rng([SEED, epoch]))
        return pair_batches(split, rows, dataset.target_vocabulary.end_index, size, bounds)
    longest = training.max_length
    lengths = np.minimum(split.lengths, longest) if longest else split.lengths
    rng = np.random.default_rng([SEED, epoch])
    rows = mini_batches(lengths, training.batch_size, rng, training.batching)
    return example_batches(split, rows, longest)


def first_batches(work: Work, dataset: PreparedDataset) -> list[Batch]:
    """The batches of a slice, held in memory."""
    return list(itertools.islice(batches(work.experiment, dataset), work.steps))


def initial_vectors(experiment: AnyExperiment, dataset: PreparedDataset) -> NDArray[np.float32]:
    """Random embeddings ``(vocabulary, dimension)``, the same for every contestant."""
    shape = len(dataset.vocabulary), experiment.embeddings.dimension
    return np.random.default_rng(SEED).uniform(-0.05, 0.05, shape).astype(np.float32)


def _pair_flops(model: EncoderDecoderParameters, dimension: int, types: int) -> float:
    """:func:`training_flops` of an encoder-decoder with general attention: the mean of what a
    source token and a target token take, without the products of the attention weights."""
    gates, decoder, width = GATES[model.cell.kind], model.decoder.units, model.source_width
    source = width * gates * (dimension + model.units)
    target = gates * decoder * (dimension + decoder) + decoder * width
    target += (decoder + width) * decoder + decoder * types
    return 3.0 * 2 * (source + target) / 2


GATES = {"lstm": 4, "gru": 3}
"""The products of an input and of a state with a kernel in one step of a cell."""


def training_flops(experiment: AnyExperiment, vocabulary: int, labels: int) -> float:
    """The floating-point operations to train on one real token, counting only products.

    A product with an ``(m, n)`` matrix takes ``2 m n`` forward and twice that backward: the
    gradients of its input and of the matrix. A classifier's head runs once per text and is left
    out, as are a CRF's sums.
    """
    model = experiment.model
    assert isinstance(model, EncoderParameters)
    if isinstance(model, EncoderDecoderParameters):
        return _pair_flops(model, experiment.embeddings.dimension, vocabulary)
    directions = 2 if getattr(model, "bidirectional", False) else 1
    inputs, forward = experiment.embeddings.dimension, 0
    for _ in range(model.layers):
        forward += directions * 2 * GATES[model.cell.kind] * model.units * (inputs + model.units)
        inputs = directions * model.units
    classes = {"language_modelling": vocabulary, "tagging": labels}.get(experiment.task, 0)
    return 3.0 * (forward + 2 * inputs * classes)

"""A prepared data set: one folder of integers, with the tokenizer and vocabulary that made them.

=====================  ==========================================================
``card.json``          the data card: source, licence, checksums, counts
``tokenizer.json``     the tokenizer's parameters and the version of its rules
``vocabulary.json``    types and their counts
``labels.json``        labels or tags, most frequent first (not for running text)
``<split>.jsonl``      the examples as text, one JSON object per line
``<split>.ids.npy``    int32 ``(tokens,)``: the token indices of all examples
``<split>.offsets.npy``  int64 ``(examples + 1,)``: where each example begins
``<split>.labels.npy``  int32 ``(examples,)``, or ``(tokens,)`` for tags
``<split>.forms.npy``  int32 ``(tokens,)``: the form of each word of a tagged sentence
``forms.json``         the forms of those words, as written; the first is empty
``characters.json``    the characters of the forms of the training split
``optimum.json``       the optimum, if the corpus knows it: for models that read the
                       ``words`` as they are written, and those that read their ``indices``
=====================  ==========================================================

Everything is written in one pass over each split (two over the training split, whose types
are counted first), so memory does not grow with the corpus.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from nlp_rnn.arrays import Ints
from nlp_rnn.config import TokenizerParameters, VocabularyParameters
from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.corpora.duplicates import TextsOfTraining
from nlp_rnn.errors import UserError
from nlp_rnn.example import SPLITS, Example, Kind
from nlp_rnn.files import read_json, sha256, whole_folder, write_json
from nlp_rnn.hints import Remedy
from nlp_rnn.text.characters import is_one_line
from nlp_rnn.text.entities import are_entities
from nlp_rnn.text.rules import Tokenizer
from nlp_rnn.text.segmentation import compared
from nlp_rnn.text.spelling import character_vocabulary
from nlp_rnn.text.tokenizers import FILE, load_parameters, make_tokenizer
from nlp_rnn.text.vocabulary import EOS, UNK, UNK_INDEX, Vocabulary, count

Reads = Literal["words", "indices"]
"""What a model reads of a word."""

Optimum = dict[Reads, dict[str, float]]
"""The exact optimum of a test split, for either kind of model."""

MAKERS = ("prepare", "pseudo_label")
"""Stages that write prepared data sets."""

BLOCK = 1 << 13
"""The number of integers buffered before they are written."""

NOT_IDENTITY = ("card.json", "optimum.json")
"""Files of a prepared data set that training does not read."""


class ArrayWriter:
    """Writes a one-dimensional ``.npy`` file of unknown length, block by block."""

    def __init__(self, file: Path, dtype: type[np.integer[Any]]) -> None:
        self._stream: BinaryIO = file.open("wb")
        self._dtype = np.dtype(dtype)
        self._pending: list[int] = []
        self._written = 0
        self._write_header()

    def _write_header(self) -> None:
        # NumPy pads the header so that a longer length still fits in the same bytes.
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": (self._written,)}
        self._stream.seek(0)
        np.lib.format.write_array_header_1_0(self._stream, header)

    def extend(self, values: Iterable[int]) -> None:
        """Append ``values``."""
        self._pending.extend(values)
        if len(self._pending) >= BLOCK:
            self._flush()

    def _flush(self) -> None:
        block = np.asarray(self._pending, self._dtype).tobytes()
        self._stream.write(block)
        self._written += len(self._pending)
        self._pending.clear()

    def close(self) -> None:
        """Write what is pending and the true length."""
        self._flush()
        self._write_header()
        self._stream.close()


@dataclass(frozen=True)
class Split:
    """One split of a prepared data set; arrays are memory-mapped.

    Attributes:
        ids: int32 ``(tokens,)``.
        offsets: int64 ``(examples + 1,)``; example ``i`` is ``ids[offsets[i]:offsets[i + 1]]``.
        labels: int32 ``(examples,)`` for labelled, ``(tokens,)`` for tagged examples, else None.
        forms: int32 ``(tokens,)`` for tagged examples, else None: indices of
            :attr:`PreparedDataset.forms`.
    """

    kind: Kind
    ids: Ints
    offsets: Ints
    labels: Ints | None
    forms: Ints | None
    records_file: Path

    @property
    def lengths(self) -> Ints:
        """int64 ``(examples,)``: tokens of each example."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def sequence(self, array: Ints, i: int) -> Ints:
        """The part of a token-level ``array`` that belongs to example ``i``."""
        return array[self.offsets[i] : self.offsets[i + 1]]

    def records(self) -> Iterator[dict[str, Any]]:
        """The examples as text, in order."""
        with self.records_file.open(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)


class PreparedDataset:
    """The data set written by :func:`prepare`, opened for reading.

    Args:
        folder: the folder of the data set.
        vocabulary: the vocabulary for the words of tagged sentences, if it is not their own.
    """

    def __init__(self, folder: Path, vocabulary: Vocabulary | None = None) -> None:
        self.folder = folder
        self._other_vocabulary = vocabulary
        self.card: dict[str, Any] = self._json("card.json")
        self.kind: Kind = self.card["kind"]

    def _json(self, file: str) -> Any:
        return read_json(self.folder / file, self._remedy)

    @property
    def _remedy(self) -> Remedy:
        return Remedy("prepare the data set", self.folder.name, MAKERS)

    @cached_property
    def tokenizer_parameters(self) -> TokenizerParameters:
        return load_parameters(self.folder, self._remedy)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return self._other_vocabulary or Vocabulary.load(self.folder / "vocabulary.json")

    @cached_property
    def labels(self) -> list[str]:
        """Labels or tags, most frequent first; empty for running text."""
        return [] if self.kind == "text" else self._json("labels.json")

    @property
    def entities(self) -> bool:
        """Whether tags mark entity spans, like BIO, rather than classes of words."""
        return are_entities(self.card, self.labels)

    @cached_property
    def forms(self) -> list[str]:
        """The words of a tagged data set as written, before any normalisation."""
        return self._json("forms.json")

    @cached_property
    def spellings(self) -> list[str]:
        """:attr:`forms` as models that read characters see them."""
        return [*map(make_tokenizer(self.tokenizer_parameters).spelling, self.forms)]

    @cached_property
    def _index_of_form(self) -> Ints:
        """The index of each form in :attr:`vocabulary`, int32 ``(forms,)``."""
        words = make_tokenizer(self.tokenizer_parameters).words(self.forms)
        return np.array(self.vocabulary.encode(words), np.int32)

    @cached_property
    def characters(self) -> Vocabulary:
        """The characters of the training split of a tagged data set."""
        return Vocabulary.load(self.folder / "characters.json")

    def optimum(self, reads: Reads) -> dict[str, float]:
        """The exact optimum of the test split; empty if it is not known.

        Args:
            reads: what the models read of a word: also its spelling, or only its index in the
                vocabulary, so that they cannot distinguish words outside it.
        """
        if not (self.folder / "optimum.json").exists():
            return {}
        return dict(self._json("optimum.json").get(reads, {}))

    def split(self, name: str) -> Split:
        """The split ``name``: train, validation or test."""

        def array(kind: str) -> Ints:
            file = self.folder / f"{name}.{kind}.npy"
            try:
                return np.load(file, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError):
                again = Remedy("prepare the data set again", self.folder.name, MAKERS, force=True)
                raise UserError(f"{file}: missing or broken; {again}") from None

        forms = array("forms") if self.kind == "tagged" else None
        return Split(
            self.kind,
            array("ids") if self._other_vocabulary is None else self._index_of_form[forms],
            array("offsets"),
            None if self.kind == "text" else array("labels"),
            forms,
            self.folder / f"{name}.jsonl",
        )


class _Encoder:
    """Converts examples of one kind to tokens and indices."""

    def __init__(self, kind: Kind, tokenizer: Tokenizer, end: str | None) -> None:
        self.kind = kind
        self.tokenizer = tokenizer
        self.end = end

    def tokens(self, example: Example) -> list[str]:
        if self.kind == "tagged":
            return self.tokenizer.words(example.tokens)
        tokens = self.tokenizer.tokens(example.text)
        if self.end is not None:
            return [*tokens, self.end]
        return tokens or [UNK]  # a text without tokens still has a label

    def labels(self, example: Example) -> tuple[str, ...]:
        if self.kind == "labelled":
            return (example.label,)
        return example.tags


def end_symbol(kind: Kind, unit: str) -> str | None:
    """The end symbol of a line of running text: ``<eos>``, or the newline for characters."""
    if kind != "text":
        return None
    return "\n" if unit == "character" else EOS


def _ranked(counts: Counter[str]) -> list[str]:
    return [label for label, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]


def identity(folder: Path, entities: bool) -> str:
    """The SHA-256 of all files of a prepared data set that training reads.

    It excludes the data card, which records where and when the data was obtained, and the optimum,
    which is only shown next to the metrics.

    Args:
        entities: whether tags mark entities, so that a tagging scheme applies.
    """
    files = (file for file in sorted(folder.iterdir()) if file.name not in NOT_IDENTITY)
    listed = "".join(f"{sha256(file)}  {file.name}\n" for file in files)
    return hashlib.sha256(f"{listed}entities: {entities}\n".encode()).hexdigest()


def prepare(
    name: str,
    corpus: Corpus,
    tokenizer_parameters: TokenizerParameters,
    vocabulary_parameters: VocabularyParameters,
    target: Path,
    progress: Any = iter,
    optimum: Callable[[Vocabulary], Optimum] | None = None,
) -> dict[str, Any]:
    """Tokenise ``corpus``, build its vocabulary and write everything into ``target``.

    Args:
        name: the data set's name, for messages and the card.
        corpus: a corpus with all three splits.
        progress: wraps an iterator of examples to show progress.
        optimum: computes the exact optimum of the test split, if the corpus knows it.

    Returns:
        The data card.

    Raises:
        UserError: validation or test has a label that training lacks, there is only one label, or a
            split is empty.
    """
    tokenizer_parameters, segmentation = _settled(corpus, tokenizer_parameters)
    units = make_tokenizer(tokenizer_parameters)
    with whole_folder(target) as folder:
        if tokenizer_parameters.unit == "subword":
            size = vocabulary_parameters.size or 8000
            units.fit((example.text for example in corpus.read("train")), size)
            units.save(folder)
        encoder = _Encoder(corpus.kind, units, end_symbol(corpus.kind, tokenizer_parameters.unit))
        counts, labels = _types_and_labels(name, encoder, progress(corpus.read("train")))
        vocabulary = Vocabulary.build(counts, vocabulary_parameters, encoder.end)
        vocabulary.save(folder / "vocabulary.json")
        write_json(folder / FILE, tokenizer_parameters.model_dump())
        if corpus.kind != "text":
            write_json(folder / "labels.json", labels)
        if optimum is not None:
            write_json(folder / "optimum.json", optimum(vocabulary))
        writer = _SplitWriter(name, folder, encoder, vocabulary, labels)
        card = {
            "name": name,
            "kind": corpus.kind,
            **corpus.provenance(),
            **corpus.findings(),
            "tokenizer": tokenizer_parameters.model_dump(),
            **segmentation,
            "vocabulary": {"size": len(vocabulary), "types_in_training": len(counts)},
            "splits": _write_splits(writer, corpus, progress),
        }
        writer.write_forms()
        card["data_sha256"] = identity(folder, are_entities(card, labels))
        write_json(folder / "card.json", card)
    return card


def _types_and_labels(
    name: str, encoder: _Encoder, examples: Iterable[Example]
) -> tuple[Counter[str], list[str]]:
    """The count of each type in training, and the labels, most frequent first.

    Raises:
        UserError: there is only one label, or one that is not a single line of text.
    """
    label_counts: Counter[str] = Counter()

    def tokens() -> Iterator[list[str]]:
        for example in examples:
            label_counts.update(encoder.labels(example))
            yield encoder.tokens(example)

    counts = count(tokens())
    labels = _ranked(label_counts)
    if len(labels) == 1:
        raise UserError(
            f"data set {name}: the only label is {labels[0]!r}, so there is nothing to learn; "
            "add examples with another label"
        )
    for label in labels:
        if not is_one_line(label):
            raise UserError(
                f"data set {name}: the label {label!r} has a control character or line break; "
                "rename it"
            )
    return counts, labels


def _settled(
    corpus: Corpus, parameters: TokenizerParameters
) -> tuple[TokenizerParameters, dict[str, Any]]:
    """The parameters with the unit resolved, and for the card how it splits a tagged corpus's
    words."""
    if corpus.kind != "tagged":
        unit = "word" if parameters.unit == "auto" else parameters.unit
        return parameters.model_copy(update={"unit": unit}), {}
    found = compared(corpus.read("train"), parameters)
    return parameters.model_copy(update={"unit": found["unit"]}), {"segmentation": found}


def _write_splits(writer: _SplitWriter, corpus: Corpus, progress: Any) -> dict[str, Any]:
    """Write all splits; returns the counts of each, including texts that are also in training.

    Lines of running text are not compared, because short lines naturally recur.
    """
    counts, texts = {}, TextsOfTraining()
    for split in SPLITS:
        examples = progress(corpus.read(split))
        if corpus.continuous:
            counts[split] = writer.write(split, examples)
        elif split == "train":
            counts[split] = writer.write(split, texts.gather(examples))
        else:
            counts[split] = writer.write(split, texts.count(examples))
            counts[split]["also_in_training"] = texts.found
            counts[split]["also_in_training_rate"] = texts.found / counts[split]["sentences"]
    return counts


class _SplitWriter:
    """Writes the splits of one data set and counts their contents."""

    def __init__(
        self, name: str, folder: Path, encoder: _Encoder, vocabulary: Vocabulary, labels: list[str]
    ) -> None:
        self.name = name
        self.folder = folder
        self.encoder = encoder
        self.vocabulary = vocabulary
        self.label_index = {label: i for i, label in enumerate(labels)}
        self.form_index = {"": 0}
        self.forms_of_training = 1

    def _label_indices(self, split: str, number: int, example: Example) -> list[int]:
        try:
            return [self.label_index[label] for label in self.encoder.labels(example)]
        except KeyError as error:
            raise UserError(
                f"data set {self.name}, {split}, example {number}: label {error} never occurs in "
                "the training split; correct it there or add training examples for it"
            ) from None

    def write_forms(self) -> None:
        """Write the forms that all splits share and the characters of the training split."""
        if self.encoder.kind == "tagged":
            forms = list(self.form_index)
            write_json(self.folder / "forms.json", forms)
            training = map(self.encoder.tokenizer.spelling, forms[1 : self.forms_of_training])
            character_vocabulary(training).save(self.folder / "characters.json")

    def write(self, split: str, examples: Iterable[Example]) -> dict[str, Any]:
        """Write one split; returns its counts for the data card."""
        kind = self.encoder.kind
        ids = ArrayWriter(self.folder / f"{split}.ids.npy", np.int32)
        offsets = ArrayWriter(self.folder / f"{split}.offsets.npy", np.int64)
        labels = (
            None if kind == "text" else ArrayWriter(self.folder / f"{split}.labels.npy", np.int32)
        )
        forms = (
            ArrayWriter(self.folder / f"{split}.forms.npy", np.int32) if kind == "tagged" else None
        )
        sentences = tokens = unknown = longest = characters = 0
        label_counts: Counter[str] = Counter()
        offsets.extend([0])
        with (self.folder / f"{split}.jsonl").open("w", encoding="utf-8") as records:
            for example in examples:
                sequence = self.vocabulary.encode(self.encoder.tokens(example))
                sentences += 1
                tokens += len(sequence)
                unknown += sequence.count(UNK_INDEX)
                longest = max(longest, len(sequence))
                characters += len(example.text) + 1
                ids.extend(sequence)
                offsets.extend([tokens])
                if labels is not None:
                    labels.extend(self._label_indices(split, sentences, example))
                    label_counts.update(self.encoder.labels(example))
                if forms is not None:
                    index = self.form_index
                    forms.extend(index.setdefault(word, len(index)) for word in example.tokens)
                records.write(json.dumps(example.record(kind), ensure_ascii=False) + "\n")
        if not tokens:
            raise UserError(
                f"data set {self.name}: the {split} split has no tokens; check its file"
            )
        if split == "train":
            self.forms_of_training = len(self.form_index)
        for writer in (ids, offsets, labels, forms):
            if writer is not None:
                writer.close()
        counts: dict[str, Any] = {
            "sentences": sentences,
            "tokens": tokens,
            "longest": longest,
            "unknown_tokens": unknown,
            "unknown_rate": unknown / tokens,
        }
        if kind == "text":
            counts["characters"] = characters
        else:
            counts["labels"] = {label: label_counts[label] for label in self.label_index}
        return counts

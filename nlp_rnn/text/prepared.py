"""A prepared data set: one folder of integers, with the tokenizer and vocabulary that made them.

=====================  ==========================================================
``card.json``          the data card: source, licence, checksums, counts
``tokenizer.json``     the tokenizer's parameters and the version of its rules
``vocabulary.json``    types and their counts
``labels.json``        labels or tags, most frequent first (not for running text)
``<split>.jsonl``      the examples as text, one JSON object per line
``<split>.ids.npy``    int32 ``(tokens,)``: the token indices of all examples
``<split>.offsets.npy``  int64 ``(examples + 1,)``: where each example begins
``<split>.labels.npy``  int32 ``(examples,)``, or ``(tokens,)`` for tags; of texts with any number
                       of labels uint8 ``(examples, labels)``, 1 for each that applies
``intents.json``       the labels of the texts of a joint data set, most frequent first, whose
                       ``labels.json`` holds the tags
``<split>.intents.npy``  int32 ``(examples,)``: these labels
``<split>.forms.npy``  int32 ``(tokens,)``: the form of each word of a tagged sentence
``target_...``         the same files for the targets of pairs: tokenizer, vocabulary, and in
                       ``<split>.target_ids.npy`` and ``<split>.target_offsets.npy`` their token
                       indices, each target with the end symbol
``<split>.features.npy``  float32 ``(examples, width)``: the vectors that pairs read
``<split>.predicates.npy``  int32 ``(examples,)``: the place of the predicate whose roles an example
                       has, -1 for none
``frames.json``        the most frequent frame of each predicate in the training split, by its form
                       in lower case
``forms.json``         the forms of those words, as written; the first is empty
``characters.json``    the characters of the forms of the training split
``optimum.json``       the optimum, if the corpus knows it: for models that read the
                       ``words`` as they are written, and those that read their ``indices``
``folds``              of a data set with folds: such a folder for each fold but the first, whose
                       data are those of this folder
=====================  ==========================================================

Everything is written in one pass over each split (two over the training split, whose types
are counted first), so memory does not grow with the corpus. Long texts are divided among worker
processes (:mod:`nlp_rnn.text.workers`), which changes nothing of what is written.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Literal, TextIO

import numpy as np
from numpy.typing import NDArray

from nlp_rnn import paths
from nlp_rnn.arrays import Ints
from nlp_rnn.config import (
    KeptPairs,
    TargetParameters,
    TokenizerParameters,
    VocabularyParameters,
)
from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.corpora.duplicates import TextsOfTraining
from nlp_rnn.errors import UserError
from nlp_rnn.example import SPLITS, TAGGED_KINDS, Example, Kind
from nlp_rnn.files import read_json, sha256, whole_folder, write_json
from nlp_rnn.hints import Remedy
from nlp_rnn.text.characters import is_one_line
from nlp_rnn.text.encoding import Counting, Encoder, Encoding, Selection, TargetEncoder
from nlp_rnn.text.entities import are_entities
from nlp_rnn.text.rules import Tokenizer
from nlp_rnn.text.segmentation import compared
from nlp_rnn.text.spelling import character_vocabulary
from nlp_rnn.text.tokenizers import FILE, TARGET, load_parameters, make_tokenizer
from nlp_rnn.text.vocabulary import EOS, UNK_INDEX, Vocabulary, add
from nlp_rnn.text.workers import mapped

Reads = Literal["words", "indices"]
"""What a model reads of a word."""

Optimum = dict[Reads, dict[str, float]]
"""The exact optimum of a test split, for either kind of model."""

MAKERS = ("prepare", "pseudo_label")
"""Stages that write prepared data sets."""

LABELLED_KINDS: tuple[Kind, ...] = ("labelled", *TAGGED_KINDS)
"""Kinds of examples that have labels."""

BLOCK = 1 << 13
"""The number of values buffered before they are written."""

FRAMES = "frames.json"
INTENTS = "intents.json"

NOT_IDENTITY = ("card.json", "optimum.json")
"""Files of a prepared data set that training does not read."""


class ArrayWriter:
    """Writes a ``.npy`` file of unknown length, block by block."""

    def __init__(self, file: Path, dtype: type[np.number[Any]]) -> None:
        self._stream: BinaryIO = file.open("wb")
        self._dtype = np.dtype(dtype)
        self._pending: list[float] = []
        self._written = 0
        self._write_header((0,))

    def _write_header(self, shape: tuple[int, ...]) -> None:
        # NumPy pads the header so that a longer shape still fits in the same bytes.
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": shape}
        self._stream.seek(0)
        np.lib.format.write_array_header_1_0(self._stream, header)

    def extend(self, values: Iterable[float]) -> None:
        """Append ``values``."""
        self._pending.extend(values)
        if len(self._pending) >= BLOCK:
            self._flush()

    def _flush(self) -> None:
        block = np.asarray(self._pending, self._dtype).tobytes()
        self._stream.write(block)
        self._written += len(self._pending)
        self._pending.clear()

    def close(self, width: int | None = None) -> None:
        """Write what is pending and the true shape: a vector, or rows of ``width`` values."""
        self._flush()
        rows = self._written // (width or 1)
        self._write_header((rows,) if width is None else (rows, width))
        self._stream.close()


@dataclass(frozen=True)
class Split:
    """One split of a prepared data set; arrays are memory-mapped.

    Attributes:
        ids: int32 ``(tokens,)``.
        offsets: int64 ``(examples + 1,)``; example ``i`` is ``ids[offsets[i]:offsets[i + 1]]``.
        labels: int32 ``(examples,)`` for labelled, ``(tokens,)`` for tagged examples, else None;
            for texts with any number of labels uint8 ``(examples, labels)``.
        forms: int32 ``(tokens,)`` for tagged examples, else None: indices of
            :attr:`PreparedDataset.forms`.
        target_ids: int32 ``(target tokens,)`` of pairs, each target with the end symbol.
        target_offsets: int64 ``(examples + 1,)``, where each target begins.
        features: float32 ``(examples, width)``, the vectors of pairs that have any.
        predicates: int32 ``(examples,)`` for examples with roles: the place of the predicate in its
            sentence, -1 for none.
        intents: int32 ``(examples,)``, the labels of the texts of a joint data set.
    """

    kind: Kind
    ids: Ints
    offsets: Ints
    labels: Ints | None
    forms: Ints | None
    records_file: Path
    target_ids: Ints | None = None
    target_offsets: Ints | None = None
    features: NDArray[np.float32] | None = None
    predicates: Ints | None = None
    intents: Ints | None = None

    @property
    def lengths(self) -> Ints:
        """int64 ``(examples,)``: tokens of each example."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def sequence(self, array: Ints, i: int) -> Ints:
        """The part of a token-level ``array`` that belongs to example ``i``."""
        return array[self.offsets[i] : self.offsets[i + 1]]

    @property
    def target_lengths(self) -> Ints:
        """int64 ``(examples,)``: tokens of the target of each pair, with the end symbol."""
        assert self.target_offsets is not None
        return np.diff(self.target_offsets)

    def target(self, i: int) -> Ints:
        """The token indices of the target of pair ``i``, with the end symbol."""
        assert self.target_ids is not None and self.target_offsets is not None
        return self.target_ids[self.target_offsets[i] : self.target_offsets[i + 1]]

    def records(self) -> Iterator[dict[str, Any]]:
        """The examples as text, in order."""
        return _records(self.records_file)


def _records(file: Path) -> Iterator[dict[str, Any]]:
    """The examples of a split as text, in order."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


class _LabelledSplit(Split):
    """A split of a joint data set as texts with a label."""

    def records(self) -> Iterator[dict[str, Any]]:
        joint = super().records()
        return ({"text": " ".join(each["tokens"]), "label": each["label"]} for each in joint)


@dataclass(frozen=True)
class PairSizes:
    """What an encoder-decoder must know of its data beside the vocabulary of sources.

    Attributes:
        targets: the number of types of targets.
        shared: whether sources and targets have one vocabulary.
        features: the width of the vectors that are read beside sources; 0 if there are none.
    """

    targets: int
    shared: bool = False
    features: int = 0

    @classmethod
    def of(cls, card: Mapping[str, Any], targets: Vocabulary) -> PairSizes:
        """The sizes that a data card tells."""
        return cls(len(targets), bool(card["target"]["shared"]), int(card["features"]))


class PreparedDataset:
    """The data set written by :func:`prepare`, opened for reading.

    Args:
        folder: the folder of the data set.
        vocabulary: the vocabulary for the words of labelled texts, tagged sentences or running
            text, if it is not their own.
        labels: the labels or tags, if they are not its own. A model that started from another one
            knows those of the other too.
        characters: the characters of tagged sentences, if they are not their own.
    """

    def __init__(
        self,
        folder: Path,
        vocabulary: Vocabulary | None = None,
        labels: Sequence[str] = (),
        characters: Vocabulary | None = None,
    ) -> None:
        self.folder = folder
        self._other_vocabulary = vocabulary
        self._other_labels = list(labels)
        self._other_characters = characters
        self._texts_encoded_anew: dict[str, Ints] = {}
        self.card: dict[str, Any] = self._json("card.json")
        self.kind: Kind = self.card["kind"]

    def _json(self, file: str) -> Any:
        return read_json(self.folder / file, self._remedy)

    @property
    def _remedy(self) -> Remedy:
        return Remedy("prepare the data set", paths.owner(self.folder), MAKERS)

    @property
    def title(self) -> str:
        """The name of the data set, with the fold that this is, if it is one."""
        fold = f" fold {self.card['fold']}" if "fold" in self.card else ""
        return f"{paths.owner(self.folder)}{fold}"

    @cached_property
    def tokenizer_parameters(self) -> TokenizerParameters:
        return load_parameters(self.folder, self._remedy)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer, with what it learned; of pairs, that of their sources."""
        tokenizer = make_tokenizer(self.tokenizer_parameters)
        tokenizer.load(self.folder)
        return tokenizer

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return self._other_vocabulary or Vocabulary.load(self.folder / "vocabulary.json")

    @cached_property
    def target_tokenizer_parameters(self) -> TokenizerParameters:
        """How the targets of pairs become tokens."""
        return load_parameters(self.folder, self._remedy, TARGET)

    @cached_property
    def target_tokenizer(self) -> Tokenizer:
        """The tokenizer of the targets of pairs, with what it learned."""
        tokenizer = make_tokenizer(self.target_tokenizer_parameters)
        tokenizer.load(self.folder, TARGET)
        return tokenizer

    @cached_property
    def target_vocabulary(self) -> Vocabulary:
        """The types of the targets of pairs."""
        return Vocabulary.load(self.folder / f"{TARGET}vocabulary.json")

    @property
    def pair_sizes(self) -> PairSizes | None:
        """What an encoder-decoder must know of pairs; None for other kinds."""
        return PairSizes.of(self.card, self.target_vocabulary) if self.kind == "pairs" else None

    @cached_property
    def labels(self) -> list[str]:
        """Labels or tags, most frequent first; empty for running text and pairs."""
        return self._other_labels or self._own_labels

    @cached_property
    def _own_labels(self) -> list[str]:
        return self._json("labels.json") if self.kind in LABELLED_KINDS else []

    @cached_property
    def intents(self) -> list[str]:
        """The labels of texts of a joint data set, most frequent first; empty for other kinds."""
        return self._json(INTENTS) if self.kind == "joint" else []

    @cached_property
    def labelled(self) -> PreparedDataset:
        """A joint data set as labelled texts, without its tags."""
        return _Labelled(self)

    @cached_property
    def tagged(self) -> PreparedDataset:
        """A joint data set as tagged sentences, without their labels."""
        side = copy(self)
        side.kind = "tagged"
        return side

    @property
    def multi_label(self) -> bool:
        """Whether a text may have any number of labels, rather than exactly one."""
        return is_multi_label(self.card)

    @property
    def entities(self) -> bool:
        """Whether tags mark entity spans, like BIO, rather than classes of words."""
        return are_entities(self.card, self.labels)

    @cached_property
    def frames(self) -> dict[str, str]:
        """The most frequent frame of each predicate in training, by its form in lower case."""
        return self._json(FRAMES) if self.kind == "roles" else {}

    @cached_property
    def forms(self) -> list[str]:
        """The words of a tagged data set as written, before any normalisation."""
        return self._json("forms.json")

    @cached_property
    def spellings(self) -> list[str]:
        """:attr:`forms` as models that read characters see them."""
        return [*map(self.tokenizer.spelling, self.forms)]

    @cached_property
    def _index_of_form(self) -> Ints:
        """The index of each form in :attr:`vocabulary`, int32 ``(forms,)``."""
        return np.array(self.vocabulary.encode(self.tokenizer.words(self.forms)), np.int32)

    @cached_property
    def characters(self) -> Vocabulary:
        """The characters of the training split of a tagged data set."""
        return self._other_characters or Vocabulary.load(self.folder / "characters.json")

    def optimum(self, reads: Reads) -> dict[str, float]:
        """The exact optimum of the test split; empty if it is not known.

        Args:
            reads: what the models read of a word: also its spelling, or only its index in the
                vocabulary, so that they cannot distinguish words outside it. With another
                vocabulary than the data's own, they know more words: then it is that of all words,
                and for running text it is not known.
        """
        if not (self.folder / "optimum.json").exists():
            return {}
        if self._other_vocabulary is not None:
            if self.kind == "text":
                return {}
            reads = "words"
        return dict(self._json("optimum.json").get(reads, {}))

    def split(self, name: str) -> Split:
        """The split ``name``: train, validation or test."""

        def array(kind: str) -> NDArray[Any]:
            file = self.folder / f"{name}.{kind}.npy"
            try:
                return np.load(file, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError):
                owner = paths.owner(self.folder)
                again = Remedy("prepare the data set again", owner, MAKERS, force=True)
                raise UserError(f"{file}: missing or broken; {again}") from None

        forms = array("forms") if self.kind in TAGGED_KINDS else None
        offsets = array("offsets")
        pairs = self.kind == "pairs"
        return Split(
            self.kind,
            array("ids") if self._other_vocabulary is None else self._encoded_anew(name, forms),
            offsets,
            self._in_labels(array("labels")) if self.kind in LABELLED_KINDS else None,
            forms,
            self.folder / f"{name}.jsonl",
            array("target_ids") if pairs else None,
            array("target_offsets") if pairs else None,
            array("features") if pairs and self.card["features"] else None,
            array("predicates") if self.kind == "roles" else None,
            array("intents") if self.kind == "joint" else None,
        )

    def _in_labels(self, gold: Ints) -> Ints:
        """The labels of a split as indices of :attr:`labels`.

        Raises:
            UserError: the data set has a label that is not among them.
        """
        if not self._other_labels:
            return gold
        if unknown := sorted({*self._own_labels} - {*self._other_labels}):
            raise UserError(
                f"{self.folder}: has the label '{unknown[0]}', which the model does not know; name "
                "the data set that it was trained on"
            )
        places = np.array([self.labels.index(label) for label in self._own_labels], np.int32)
        if not self.multi_label:
            return places[gold]
        columns = np.zeros((len(gold), len(self.labels)), gold.dtype)
        columns[:, places] = gold
        return columns

    def _encoded_anew(self, name: str, forms: Ints | None) -> Ints:
        """The token indices of a split in a vocabulary that is not the data set's own."""
        if forms is not None:
            return self._index_of_form[forms]
        if name not in self._texts_encoded_anew:
            encoder = Encoder(self.kind, self.tokenizer)
            records = _records(self.folder / f"{name}.jsonl")
            texts = (Example(text=record["text"]) for record in records)
            tokens = itertools.chain.from_iterable(map(encoder.tokens, texts))
            self._texts_encoded_anew[name] = np.array(self.vocabulary.encode(tokens), np.int32)
        return self._texts_encoded_anew[name]


class _Labelled(PreparedDataset):
    """A joint data set as labelled texts."""

    def __init__(self, joint: PreparedDataset) -> None:
        super().__init__(joint.folder, joint._other_vocabulary)
        self.kind = "labelled"
        self._joint = joint

    @cached_property
    def labels(self) -> list[str]:
        return self._joint.intents

    def split(self, name: str) -> Split:
        joint = self._joint.split(name)
        return _LabelledSplit(
            "labelled", joint.ids, joint.offsets, joint.intents, joint.forms, joint.records_file
        )


def is_multi_label(card: Mapping[str, Any]) -> bool:
    """Whether a data card is of texts that may have any number of labels."""
    return bool(card.get("multi_label", False))


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
    of_target: TargetParameters | None = None,
    keep: KeptPairs | None = None,
    keep_unseen: bool = False,
) -> dict[str, Any]:
    """Tokenise ``corpus``, build its vocabulary and write everything into ``target``.

    Args:
        name: the data set's name, for messages and the card.
        corpus: a corpus with all three splits.
        progress: wraps an iterator of examples to show progress.
        optimum: computes the exact optimum of the test split, if the corpus knows it.
        of_target: how the targets of pairs become indices.
        keep: which pairs of the training split are kept.
        keep_unseen: whether labels and tags that training lacks are kept.

    Returns:
        The data card.

    Raises:
        UserError: validation or test has a label that training lacks, unless it is kept; there is
            only one label; or a split is empty.
    """
    tokenizer_parameters, segmentation = _settled(corpus, tokenizer_parameters)
    with whole_folder(target) as folder:
        of_target = of_target or TargetParameters()
        encoders, sides = _sides(corpus, tokenizer_parameters, vocabulary_parameters, of_target)
        _learn_subwords(corpus, encoders, sides, of_target.shared, folder)
        pairs = corpus.kind == "pairs"
        selection = Selection(keep or KeptPairs(), encoders[0], encoders[-1]) if pairs else None
        read = _reading(corpus, selection)
        counts, labels, multi_label = _labels_of_training(
            name, corpus, encoders, progress(read("train")), keep_unseen
        )
        intents = _intents(name, corpus, keep_unseen) if corpus.kind == "joint" else []
        if pairs and of_target.shared:
            counts = [counts[0] + counts[1]] * 2
        vocabularies = _write_vocabularies(folder, encoders, sides, counts, of_target.shared)
        if corpus.kind in LABELLED_KINDS:
            write_json(folder / "labels.json", labels)
        if intents:
            write_json(folder / INTENTS, intents)
        if optimum is not None:
            write_json(folder / "optimum.json", optimum(vocabularies[0]))
        sizes = [_sizes(*side) for side in zip(vocabularies, counts, strict=True)]
        writer = _SplitWriter(name, folder, encoders, vocabularies, labels, multi_label, intents)
        card = {
            "name": name,
            "kind": corpus.kind,
            **({"multi_label": True} if multi_label else {}),
            **corpus.provenance(),
            **corpus.findings(),
            "tokenizer": tokenizer_parameters.model_dump(),
            **segmentation,
            "vocabulary": sizes[0],
            "splits": _write_splits(writer, read, corpus.continuous, progress),
        }
        if selection:
            card["splits"]["train"]["left_out"] = selection.left_out
            tokenizer = encoders[1].tokenizer.parameters.model_dump()
            shared = of_target.shared
            card["target"] = {"shared": shared, "tokenizer": tokenizer, "vocabulary": sizes[1]}
            card["features"] = writer.features
        writer.write_forms()
        card["data_sha256"] = identity(folder, are_entities(card, labels))
        write_json(folder / "card.json", card)
    return card


def _reading(corpus: Corpus, selection: Selection | None) -> Callable[[str], Iterator[Example]]:
    """The function that reads a split; of pairs, the kept ones of training."""

    def read(split: str) -> Iterator[Example]:
        examples = corpus.read(split)
        return selection.of(examples) if selection and split == "train" else examples

    return read


def _sides(
    corpus: Corpus,
    tokenizer: TokenizerParameters,
    vocabulary: VocabularyParameters,
    of_target: TargetParameters,
) -> tuple[list[Encoder], list[VocabularyParameters]]:
    """What makes tokens of the examples, and the parameters of their vocabulary; of pairs, of the
    sources and of the targets."""
    source = Encoder(corpus.kind, make_tokenizer(tokenizer))
    if corpus.kind != "pairs":
        return [source], [vocabulary]
    target = TargetEncoder(_target_tokenizer(of_target, source.tokenizer))
    return [source, target], [vocabulary, of_target.vocabulary or vocabulary]


def _labels_of_training(
    name: str,
    corpus: Corpus,
    encoders: Sequence[Encoder],
    examples: Iterable[Example],
    keep_unseen: bool,
) -> tuple[list[Counter[str]], list[str], bool]:
    """:func:`_types_and_labels`; the roles of other splits are tags too, and with ``keep_unseen``
    all their labels and tags."""
    counts, labels, multi_label = _types_and_labels(name, encoders, examples)
    others = (one for split in SPLITS[1:] for one in corpus.read(split))
    if corpus.kind == "roles":
        labels = _with_every_role(labels, (tag for one in others for tag in one.tags))
    elif keep_unseen:
        labels = _with_unseen(
            labels, (label for one in others for label in encoders[0].labels(one))
        )
    return counts, labels, multi_label


def _intents(name: str, corpus: Corpus, keep_unseen: bool) -> list[str]:
    """The labels of the texts of a joint data set, most frequent first; see
    :func:`_labels_of_training`."""
    intents = _ranked(Counter(example.label for example in corpus.read("train")))
    _check_labels(name, intents)
    if not keep_unseen:
        return intents
    return _with_unseen(intents, (e.label for split in SPLITS[1:] for e in corpus.read(split)))


def _with_unseen(labels: list[str], others: Iterable[str]) -> list[str]:
    """The labels of training, then those that only other splits have.

    >>> _with_unseen(["O", "B-PER"], ["B-ORG", "O"])
    ['O', 'B-PER', 'B-ORG']
    """
    return [*labels, *sorted(set(others).difference(labels))]


def _write_vocabularies(
    folder: Path,
    encoders: Sequence[Encoder],
    sides: Sequence[VocabularyParameters],
    counts: Sequence[Counter[str]],
    shared: bool,
) -> list[Vocabulary]:
    """Build the vocabulary of each side and write it, with the parameters of its tokenizer."""
    vocabularies = [
        Vocabulary.build(of_side, parameters, EOS if shared else encoder.end)
        for of_side, parameters, encoder in zip(counts, sides, encoders, strict=True)
    ]
    for prefix, encoder, vocabulary in zip(("", TARGET), encoders, vocabularies, strict=False):
        vocabulary.save(folder / f"{prefix}vocabulary.json")
        write_json(folder / f"{prefix}{FILE}", encoder.tokenizer.parameters.model_dump())
    return vocabularies


def _sizes(vocabulary: Vocabulary, counts: Counter[str]) -> dict[str, int]:
    return {"size": len(vocabulary), "types_in_training": len(counts)}


def _target_tokenizer(of_target: TargetParameters, of_sources: Tokenizer) -> Tokenizer:
    """The tokenizer of targets, that of sources if they share one."""
    if of_target.shared:
        return of_sources
    parameters = of_target.tokenizer or of_sources.parameters
    unit = "word" if parameters.unit == "auto" else parameters.unit
    return make_tokenizer(parameters.model_copy(update={"unit": unit}))


def _learn_subwords(
    corpus: Corpus,
    encoders: Sequence[Encoder],
    sides: Sequence[VocabularyParameters],
    shared: bool,
    folder: Path,
) -> None:
    """Learn the subwords of each side from the training texts, those of both if it is shared."""
    for prefix, encoder, vocabulary in zip(("", TARGET), encoders, sides, strict=False):
        tokenizer = encoder.tokenizer
        if tokenizer.parameters.unit != "subword":
            continue
        if not (shared and prefix):
            readers = encoders if shared else [encoder]
            texts = (
                text
                for example in corpus.read("train")
                for reader in readers
                for text in reader.texts(example)
            )
            tokenizer.fit(texts, vocabulary.size or 8000)
        tokenizer.save(folder, prefix)


def _types_and_labels(
    name: str, encoders: Sequence[Encoder], examples: Iterable[Example]
) -> tuple[list[Counter[str]], list[str], bool]:
    """The count of each type in training for each side, the labels, most frequent first, and
    whether a text may have any number of them, as the first example says.

    Raises:
        UserError: there is only one label, or one that is not a single line of text.
    """
    label_counts: Counter[str] = Counter()
    counts: list[Counter[str]] = [Counter() for _ in encoders]
    multi_label: bool | None = None
    texts = 0
    for chunk, of_chunk in mapped(Counting(encoders), examples):
        for example in chunk:
            texts += 1
            if multi_label is None:
                multi_label = example.labels is not None
            check_labelling(f"data set {name}, train, example {texts}", example, multi_label)
            label_counts.update(encoders[0].labels(example))
        for of_side, more in zip(counts, of_chunk, strict=True):
            add(of_side, more)
    labels = _ranked(label_counts)
    if multi_label and all(count == texts for count in label_counts.values()):
        found = "all training texts have the same labels" if labels else "no training text has one"
        raise UserError(
            f"data set {name}: {found}, so there is nothing to learn; add texts with other labels"
        )
    _check_labels(name, labels, multi_label or False)
    return counts, labels, bool(multi_label)


def _check_labels(name: str, labels: Sequence[str], multi_label: bool = False) -> None:
    """Raise UserError unless there are several labels, each a single line of text."""
    if len(labels) == 1 and not multi_label:
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


def check_labelling(where: str, example: Example, multi_label: bool) -> None:
    """Raise UserError unless an example has a list of labels as others have, or one label."""
    if multi_label != (example.labels is not None):
        found, first = ("one label", "a list") if multi_label else ("a list", "one label")
        raise UserError(
            f"{where}: has {found} where the first example of training has {first}; write all of "
            "them in the same way"
        )


def _with_every_role(tags: list[str], others: Iterable[str]) -> list[str]:
    """The tags of training, then those of roles that only other splits have, or that there begin or
    go on otherwise: roles are so many that some are rare, and are missed rather than an error.

    >>> _with_every_role(["O", "B-ARG0", "I-ARG0"], ["B-ARG5"])
    ['O', 'B-ARG0', 'I-ARG0', 'B-ARG5', 'I-ARG5']
    """
    roles = sorted({tag[2:] for tag in (*tags, *others) if tag != "O"})
    return list(dict.fromkeys([*tags, *(f"{x}-{role}" for role in roles for x in "BI")]))


def _settled(
    corpus: Corpus, parameters: TokenizerParameters
) -> tuple[TokenizerParameters, dict[str, Any]]:
    """The parameters with the unit resolved, and for the card how it splits a tagged corpus's
    words."""
    if corpus.kind not in TAGGED_KINDS or corpus.cut_by_tokenizer:
        unit = "word" if parameters.unit == "auto" else parameters.unit
        return parameters.model_copy(update={"unit": unit}), {}
    once = (example for example in corpus.read("train") if example.predicate is None)
    found = compared(once, parameters)
    return parameters.model_copy(update={"unit": found["unit"]}), {"segmentation": found}


def _write_splits(
    writer: _SplitWriter,
    read: Callable[[str], Iterator[Example]],
    continuous: bool,
    progress: Any,
) -> dict[str, Any]:
    """Write all splits; returns the counts of each, including texts that are also in training.

    Lines of running text are not compared, because short lines naturally recur.
    """
    counts, texts = {}, TextsOfTraining()
    for split in SPLITS:
        examples = progress(read(split))
        if continuous:
            counts[split] = writer.write(split, examples)
        elif split == "train":
            counts[split] = writer.write(split, texts.gather(examples))
        else:
            counts[split] = writer.write(split, texts.count(examples))
            counts[split]["also_in_training"] = texts.found
            counts[split]["also_in_training_rate"] = texts.found / counts[split]["sentences"]
    return counts


class _SideWriter:
    """Writes the token indices of one side of a split, and counts them."""

    def __init__(self, folder: Path, split: str, prefix: str) -> None:
        self._prefix = prefix
        self._ids = ArrayWriter(folder / f"{split}.{prefix}ids.npy", np.int32)
        self._offsets = ArrayWriter(folder / f"{split}.{prefix}offsets.npy", np.int64)
        self._offsets.extend([0])
        self.tokens = self._unknown = self._longest = 0

    def add(self, ids: Ints, lengths: Ints) -> None:
        """Add the tokens of some examples."""
        self._ids.extend(ids.tolist())
        self._offsets.extend((self.tokens + np.cumsum(lengths)).tolist())
        self.tokens += len(ids)
        self._unknown += int(np.count_nonzero(ids == UNK_INDEX))
        self._longest = max(self._longest, int(lengths.max()))

    def close(self) -> dict[str, Any]:
        """Finish both files; returns the counts for the data card."""
        self._ids.close()
        self._offsets.close()
        counts = {
            "tokens": self.tokens,
            "longest": self._longest,
            "unknown_tokens": self._unknown,
            "unknown_rate": self._unknown / max(self.tokens, 1),
        }
        return {f"{self._prefix}{name}": value for name, value in counts.items()}


def _indices(where: str, index: Mapping[str, int], labels: Iterable[str]) -> list[int]:
    """The index of each label.

    Raises:
        UserError: a label has none, because training lacks it.
    """
    try:
        return [index[label] for label in labels]
    except KeyError as error:
        raise UserError(
            f"{where}: label {error} never occurs in the training split; correct it there, add "
            "training examples for it, or set unseen_labels: keep"
        ) from None


class _SplitWriter:
    """Writes the splits of one data set and counts their contents.

    Attributes:
        features: the width of the vectors of pairs; 0 if they have none, None before the first.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        encoders: Sequence[Encoder],
        vocabularies: Sequence[Vocabulary],
        labels: list[str],
        multi_label: bool = False,
        intents: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.folder = folder
        self.encoder = encoders[0]
        sides = zip(encoders, vocabularies, strict=True)
        self.sides = list(zip(("", TARGET), sides, strict=False))
        self.label_index = {label: i for i, label in enumerate(labels)}
        self.intent_index = {intent: i for i, intent in enumerate(intents)}
        self.multi_label = multi_label
        self.form_index = {"": 0}
        self.forms_of_training = 1
        self.features: int | None = None
        self.frames: dict[str, Counter[str]] = {}

    def _checked_features(self, split: str, number: int, example: Example) -> Sequence[float]:
        """The vector of an example; raises UserError unless it is as wide as the first one."""
        found, where = example.features, f"data set {self.name}, {split}, example {number}"
        self.features = len(found) if self.features is None else self.features
        if len(found) != self.features:
            raise UserError(
                f"{where}: {len(found)} features, but the first example has {self.features}; all "
                "vectors need one width"
            )
        if not np.isfinite(found).all():
            raise UserError(f"{where}: a feature is not a finite number; remove the example")
        return found

    def _targets(self, split: str, number: int, example: Example) -> list[int]:
        """The index of each label or tag of an example; where a text may have any number of labels,
        1 for each that applies, else 0.

        Raises:
            UserError: a label never occurs in training, or only some texts have a list of labels.
        """
        where = f"data set {self.name}, {split}, example {number}"
        check_labelling(where, example, self.multi_label)
        indices = _indices(where, self.label_index, self.encoder.labels(example))
        if not self.multi_label:
            return indices
        return np.isin(np.arange(len(self.label_index)), indices).astype(int).tolist()

    def _intent(self, split: str, number: int, example: Example) -> list[int]:
        """The index of the label of a text of a joint data set; raises UserError likewise."""
        where = f"data set {self.name}, {split}, example {number}"
        return _indices(where, self.intent_index, (example.label,))

    def write_forms(self) -> None:
        """Write the forms that all splits share, and of the training split the characters, and the
        frames of predicates."""
        if self.encoder.kind == "roles":
            frames = {form: _ranked(found)[0] for form, found in sorted(self.frames.items())}
            write_json(self.folder / FRAMES, frames)
        if self.encoder.kind in TAGGED_KINDS:
            forms = list(self.form_index)
            write_json(self.folder / "forms.json", forms)
            training = map(self.encoder.tokenizer.spelling, forms[1 : self.forms_of_training])
            character_vocabulary(training).save(self.folder / "characters.json")

    def write(self, split: str, examples: Iterable[Example]) -> dict[str, Any]:
        """Write one split; returns its counts for the data card."""
        kind = self.encoder.kind
        sides = [_SideWriter(self.folder, split, prefix) for prefix, _ in self.sides]
        encoding = Encoding(self.encoder.kind, [side for _, side in self.sides])

        def writer(name: str, wanted: bool, dtype: Any = np.int32) -> ArrayWriter | None:
            return ArrayWriter(self.folder / f"{split}.{name}.npy", dtype) if wanted else None

        dtype = np.uint8 if self.multi_label else np.int32
        labels = writer("labels", kind in LABELLED_KINDS, dtype)
        forms = writer("forms", kind in TAGGED_KINDS)
        predicates = writer("predicates", kind == "roles")
        intents = writer("intents", kind == "joint")
        features = writer("features", kind == "pairs", np.float32)
        sentences = characters = without_label = 0
        label_counts: Counter[str] = Counter()
        with (self.folder / f"{split}.jsonl").open("w", encoding="utf-8") as records:
            for example in self._encoded(encoding, examples, sides, records):
                sentences += 1
                characters += len(example.text) + 1
                if labels is not None:
                    labels.extend(self._targets(split, sentences, example))
                    label_counts.update(self.encoder.labels(example))
                    without_label += self.multi_label and not example.labels
                if forms is not None:
                    index = self.form_index
                    forms.extend(index.setdefault(word, len(index)) for word in example.tokens)
                if predicates is not None:
                    self._add_predicate(split, example, predicates)
                if intents is not None:
                    intents.extend(self._intent(split, sentences, example))
                if features is not None:
                    features.extend(self._checked_features(split, sentences, example))
        if not sides[0].tokens:
            raise UserError(
                f"data set {self.name}: the {split} split has no tokens; check its file"
            )
        if split == "train":
            self.forms_of_training = len(self.form_index)
        if labels is not None:
            labels.close(len(self.label_index) if self.multi_label else None)
        for array in (forms, predicates, intents):
            if array is not None:
                array.close()
        if features is not None:
            features.close(self.features or None)
            if not self.features:
                (self.folder / f"{split}.features.npy").unlink()
        counts: dict[str, Any] = {"sentences": sentences}
        for side in sides:
            counts |= side.close()
        if kind == "text":
            counts["characters"] = characters
        elif kind in LABELLED_KINDS:
            counts["labels"] = {label: label_counts[label] for label in self.label_index}
            counts |= {"without_label": without_label} if self.multi_label else {}
        return counts

    @staticmethod
    def _encoded(
        encoding: Encoding,
        examples: Iterable[Example],
        sides: Sequence[_SideWriter],
        records: TextIO,
    ) -> Iterator[Example]:
        """The examples, once their tokens and records are written."""
        for chunk, encoded in mapped(encoding, examples):
            for side, tokens in zip(sides, encoded.sides, strict=True):
                side.add(*tokens)
            records.write(encoded.records)
            yield from chunk

    def _add_predicate(self, split: str, example: Example, predicates: ArrayWriter) -> None:
        """Write the place of the predicate, -1 for none, and count its frame in training."""
        predicates.extend([-1 if example.predicate is None else example.predicate])
        if split == "train" and example.predicate is not None:
            form = example.tokens[example.predicate].lower()
            self.frames.setdefault(form, Counter())[example.frame] += 1

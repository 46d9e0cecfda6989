"""What a user's files hold, read as training would read them."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from nlp_rnn.config import FilesDataset, SplitParameters
from nlp_rnn.config.data import (
    ANNOTATION_FORMATS,
    CHOICE_FORMATS,
    PAIR_FORMATS,
    PARALLEL,
    SPACED_FORMATS,
    TABLES,
)
from nlp_rnn.corpora import open_corpus
from nlp_rnn.corpora.annotations import choices
from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.corpora.duplicates import text_hash
from nlp_rnn.corpora.files import FilesCorpus
from nlp_rnn.corpora.lines import BadBytes
from nlp_rnn.corpora.splits import with_all_splits
from nlp_rnn.errors import UserError
from nlp_rnn.example import SPLITS, TAGGED_KINDS, Example, Kind
from nlp_rnn.projects.columns import conll_settings, conllu_settings, table_settings
from nlp_rnn.projects.formats import check_present, expanded, format_of, path_of
from nlp_rnn.task_kinds import TASK_KINDS
from nlp_rnn.text.annotated import COUNTED, OF_DOCUMENTS, summed, with_tags
from nlp_rnn.text.characters import scripts
from nlp_rnn.text.prepared import check_labelling
from nlp_rnn.text.tokenizers import make_tokenizer

SAMPLED = 2000
"""Texts whose script and markup are looked at."""

LOOKED_AT = 1000
"""Characters of each of these whose script is looked at."""

FEWEST_CHARACTERS = 1000
"""Of running text, for a language model."""

WITHOUT_SPACES = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")
"""Scripts that write no space between words, by the first word of Unicode's names."""

OWN_SHARES = {"validation": 0.1, "test": 0.1}
"""Of the training data, for splits without a file."""

PAIRS_BY_THEMSELVES = tuple(format for format in PAIR_FORMATS if format != "captions")
"""Formats of files that hold pairs, and nothing beside them."""

_MARKUP = re.compile(r"<br\s*/?>|&(?:#\d+|[a-z]+);", re.IGNORECASE)


@dataclass(frozen=True)
class Given:
    """What the user says of the data; what is missing is looked for.

    Attributes:
        name: of the data set.
        splits: the paths of each split.
        beside: the paths of what lies beside the texts of a split, by the key of a data set that
            names them, such as ``train_target``.
        format: of all files.
        task: of ``params.yaml``.
        reading: keys of a data set of ``params.yaml`` that say how files are read.
    """

    name: str
    splits: Mapping[str, Sequence[str]]
    beside: Mapping[str, Sequence[str]] = field(default_factory=dict)
    format: str | None = None
    task: str | None = None
    reading: Mapping[str, Any] = field(default_factory=dict)

    @property
    def pairs(self) -> bool:
        """Whether the user says that tables hold pairs."""
        return self.task == "sequence_to_sequence" or "target_column" in self.reading


@dataclass
class Counts:
    """What all examples of some files show together.

    Attributes:
        examples: of each split; where they have semantic roles, sentences.
        predicates: of sentences with semantic roles.
        labels: how often each label or tag occurs.
        intents: how often each label occurs, where the sentences have tags too.
        unseen_tags: of these, tags that the training split lacks.
        multi_label: whether a text may have any number of labels.
        without_label: the texts that have none.
        lengths: tokens of each example, of pairs those of the source.
        target_lengths: of pairs, tokens of each target.
        characters: of running text, line ends included.
        types: different tokens, of pairs on the side that has more.
        singletons: of these, those that occur once.
        scripts: letters of each script, in a sample.
        target_scripts: of pairs, those of targets.
        phrases: of pairs, how many in a sample have more than one word on a side.
        duplicates: examples whose text stood there before.
        conflicting: of these, those with another label.
        markup: whether more than one text in a hundred holds HTML.
    """

    examples: Counter[str] = field(default_factory=Counter)
    predicates: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    intents: Counter[str] = field(default_factory=Counter)
    unseen_tags: int = 0
    multi_label: bool = False
    without_label: int = 0
    lengths: array[int] = field(default_factory=lambda: array("q"))
    target_lengths: array[int] = field(default_factory=lambda: array("q"))
    characters: int = 0
    types: int = 0
    singletons: int = 0
    scripts: Counter[str] = field(default_factory=Counter)
    target_scripts: Counter[str] = field(default_factory=Counter)
    phrases: int = 0
    duplicates: int = 0
    conflicting: int = 0
    markup: bool = False

    @property
    def total(self) -> int:
        """All examples."""
        return self.examples.total()

    @property
    def tokens(self) -> int:
        """All tokens."""
        return sum(self.lengths)

    def longest(self, share: float) -> int:
        """The length that this share of all examples does not exceed."""
        return quantile(self.lengths, share)

    @property
    def imbalanced(self) -> bool:
        """Whether some label has less than half of an equal share."""
        return 2 * min(self.labels.values()) * len(self.labels) < self.labels.total()

    @property
    def spaced(self) -> bool:
        """Whether words are written with spaces between them, by most letters."""
        return _spaced(self.scripts)

    @property
    def spelt(self) -> bool:
        """Whether hardly any pair has more than one word on a side."""
        return 10 * self.phrases < min(self.total, SAMPLED)


def quantile(lengths: array[int], share: float) -> int:
    """The length that this share of ``lengths`` does not exceed."""
    return int(np.quantile(lengths, share, method="inverted_cdf"))


def _spaced(scripts: Counter[str]) -> bool:
    without = sum(scripts[script] for script in WITHOUT_SPACES)
    return 2 * without <= scripts.total()


@dataclass(frozen=True)
class Sight:
    """What the files hold, and how they are to be read.

    Attributes:
        splits: the paths of each split that has files.
        beside: the paths of what lies beside them, as :class:`Given` has them.
        format: of all of them.
        reading: the keys of the data set that are not those of the format by itself.
        kind: of examples.
        scheme: of entity tags; None for other tags and texts.
        tokenizer: the keys of the tokenizer that the texts ask for.
        target: of pairs, the keys of the tokenizer of targets, where they ask for another.
        counts: of all examples.
        spans: how many spans of characters are of each kind of ``COUNTED``; empty for formats
            without them.
        documents: what ``OF_DOCUMENTS`` counts; empty where no documents were cut.
    """

    splits: dict[str, list[str]]
    beside: dict[str, list[str]]
    format: str
    reading: dict[str, Any]
    kind: Kind
    scheme: str | None
    tokenizer: dict[str, Any]
    target: dict[str, Any]
    counts: Counts
    spans: Mapping[str, int] = field(default_factory=dict)
    documents: Mapping[str, int] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, list[str]]:
        """The paths of everything, by the key of a data set that names them."""
        return self.splits | self.beside

    @property
    def lacking(self) -> list[str]:
        """The splits that are taken from the training data."""
        return [split for split in SPLITS if split not in self.splits]


def look(given: Given) -> Sight:
    """Read all of a user's files.

    Raises:
        UserError: something in them is wrong, or not clear without an option that it names.
    """
    splits = expanded(given.splits)
    beside = _beside(given, splits)
    bad_bytes = given.reading.get("bad_bytes", "error")
    format = _format(given, splits, beside, bad_bytes)
    reading = {key: value for key, value in given.reading.items() if key != "bad_bytes"}
    first = path_of(splits["train"][0])
    if format in TABLES:
        reading = table_settings(first, format, reading, bad_bytes, given.pairs)
        if reading.get("header"):
            del reading["header"]
    elif format == "conll":
        reading = conll_settings(first, reading, bad_bytes)
    elif format == "conllu":
        reading = conllu_settings(first, reading, bad_bytes)
    if format == "folders" and given.task == "language_modelling":
        reading["kind"] = "text"
    if format in CHOICE_FORMATS and _labels_texts(first, format, given.task, bad_bytes):
        reading["kind"] = "labelled"
    tokenizer: dict[str, Any] = {} if bad_bytes == "error" else {"bad_bytes": bad_bytes}
    files = splits | beside
    if format in ANNOTATION_FORMATS and "kind" not in reading:
        tokenizer |= _unit_of_annotated(given.name, files, format, reading, tokenizer)
    corpus = _opened(given.name, files, format, reading, tokenizer)
    _check_task(given.task, corpus.kind, format)
    counts = _counted(corpus)
    _check_labels(corpus, counts)
    tokenizer |= _tokenizer(corpus.kind, counts, format)
    target = _tokenizer_of_targets(corpus.kind, counts, tokenizer)
    dataset = _dataset(files, format, reading, tokenizer, target)
    _measure(corpus, counts, dataset)
    found = corpus.findings()
    return Sight(
        splits=splits,
        beside=beside,
        format=format,
        reading=reading,
        kind=corpus.kind,
        scheme=found.get("scheme"),
        tokenizer=tokenizer,
        target=target,
        counts=counts,
        spans=summed(found.get("spans", {}), COUNTED),
        documents=summed(found.get("documents", {}).get("splits", {}), OF_DOCUMENTS),
    )


def _labels_texts(file: Path, format: str, task: str | None, bad_bytes: BadBytes) -> bool:
    """Whether the labels of whole texts are to be learned, not those of spans in them.

    Raises:
        UserError: the file has both, and the task is not given.
    """
    if task is not None:
        return TASK_KINDS[task].data == "labelled"
    marked = choices.are_marked(format, file, bad_bytes)
    if len(marked) > 1:
        raise UserError(
            f"{file}: has labels of whole texts and of spans in them; say which to learn with "
            "--task classification or --task tagging"
        )
    return marked == {"texts"}


def _beside(given: Given, splits: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The files beside those of the splits, as many as these."""
    found = {key: list(paths) for key, paths in given.beside.items() if paths}
    for key, paths in found.items():
        split, _, side = key.partition("_")
        option, texts = key.replace("_", "-"), splits.get(split, [])
        for path in paths:
            check_present(path)
        if len(paths) != len(texts):
            raise UserError(
                f"--{option}: names {len(paths)} files and --{split} {len(texts)}; each file of "
                f"sentences needs one of {PARALLEL[side]}"
            )
    for side in {key.partition("_")[2] for key in found}:
        for split in splits:
            if f"{split}_{side}" not in found:
                raise UserError(
                    f"--{split}: needs a file of {PARALLEL[side]} beside it; give it with "
                    f"--{split}-{side}"
                )
    return found


def _format(
    given: Given,
    splits: Mapping[str, Sequence[str]],
    beside: Mapping[str, Sequence[str]],
    bad_bytes: BadBytes,
) -> str:
    """The format of all files, as given or found."""
    format = given.format
    if beside and format not in (None, "parallel"):
        raise UserError(
            f"--format {format}: has no files beside it; leave out --format, or "
            f"--{next(iter(beside)).replace('_', '-')}"
        )
    if beside:
        return "parallel"
    if given.task == "intents_and_slots" and format in (None, "parallel"):
        raise UserError(
            "--task intents_and_slots: needs a file of tags and one of labels beside each file of "
            "sentences; give them with --train-tags and --train-labels"
        )
    if format == "parallel":
        raise UserError(
            "--format parallel: needs files whose lines belong to those of --train; give them with "
            "--train-target, --train-tags or --train-labels"
        )
    if given.task == "semantic_roles" and format is None:
        return "propbank"
    return format or format_of(splits, given.task, bad_bytes)


def _opened(
    name: str,
    files: Mapping[str, Sequence[str]],
    format: str,
    reading: Mapping[str, Any],
    tokenizer: Mapping[str, Any],
) -> Corpus:
    dataset = _dataset(files, format, reading, tokenizer)
    return with_tags(open_corpus(name, dataset, Path()), dataset)


def _unit_of_annotated(
    name: str,
    files: Mapping[str, Sequence[str]],
    format: str,
    reading: Mapping[str, Any],
    tokenizer: Mapping[str, Any],
) -> dict[str, Any]:
    """The unit of the words of annotated texts: characters, where no spaces part words."""
    corpus = FilesCorpus(name, _dataset(files, format, reading, tokenizer), Path())
    counts = Counts()
    for annotated in islice(corpus.annotated("train"), SAMPLED):
        counts.scripts.update(scripts(annotated.text[:LOOKED_AT]))
    return {} if counts.spaced else {"unit": "character"}


def _dataset(
    files: Mapping[str, Sequence[str]],
    format: str,
    reading: Mapping[str, Any],
    tokenizer: Mapping[str, Any],
    target: Mapping[str, Any] | None = None,
) -> FilesDataset:
    from pydantic import ValidationError

    section = {"source": "files", "format": format, "tokenizer": tokenizer, **reading, **files}
    if target:
        section["target"] = {"tokenizer": target}
    try:
        return FilesDataset.model_validate(section)
    except ValidationError as error:
        raise UserError(error.errors()[0]["msg"]) from None


def _check_task(task: str | None, kind: Kind, format: str) -> None:
    if task is not None and (needed := TASK_KINDS[task].data) != kind:
        formats = {
            "labelled": "csv, tsv, jsonl, parquet, folders or fasttext, "
            f"{', '.join(CHOICE_FORMATS)}, or parallel with --train-labels",
            "tagged": f"conll, conllu, {', '.join(ANNOTATION_FORMATS)}, or jsonl or parquet with "
            "lists of words and tags, or parallel with --train-tags",
            "text": "text or folders",
            "pairs": f"{', '.join(PAIRS_BY_THEMSELVES)}, or parallel with --train-target, or csv, "
            "tsv, jsonl or parquet with --target-column",
            "joint": "parallel, with --train-tags and --train-labels",
            "roles": "propbank",
        }
        raise UserError(
            f"--task {task}: needs data of format {formats[needed]}, and these files are {format}; "
            "settle the format with --format, or choose another task"
        )


def _counted(corpus: Corpus) -> Counts:
    """Count examples, labels, scripts and duplicates."""
    counts = Counts()
    marked = sampled = 0
    first_label: dict[int, tuple[str, ...]] = {}
    for split in corpus.splits():
        for example in corpus.read(split):
            counts.labels.update(_labels(example, corpus.kind))
            if example.predicate is not None:  # of a sentence that came before
                counts.predicates += 1
                continue
            counts.examples[split] += 1
            if corpus.kind == "joint":
                counts.intents[example.label] += 1
            if counts.examples.total() == 1:
                counts.multi_label = example.labels is not None
            where = f"{split}, example {counts.examples[split]}"
            check_labelling(where, example, counts.multi_label)
            counts.without_label += example.labels == ()
            counts.characters += len(example.text) + 1
            if sampled < SAMPLED:
                sampled += 1
                text = example.text or " ".join(example.tokens)
                counts.scripts.update(scripts(text[:LOOKED_AT]))
                counts.target_scripts.update(scripts(example.target[:LOOKED_AT]))
                counts.phrases += len(text.split()) > 1 or len(example.target.split()) > 1
                marked += _MARKUP.search(text) is not None
            if not corpus.continuous:
                label = first_label.setdefault(text_hash(example), example.label_set)
                counts.conflicting += set(label) != set(example.label_set)
    if not corpus.continuous:
        counts.duplicates = counts.total - len(first_label)
    counts.markup = marked * 100 > sampled
    return counts


def _labels(example: Example, kind: Kind) -> Iterable[str]:
    """The labels or tags of an example; of semantic roles those of the arguments alone."""
    if kind == "pairs":
        return ()
    if kind == "roles":
        named = () if example.predicate is None else example.tags
        return (tag[2:] for tag in named if tag.startswith("B-") and tag != "B-V")
    return example.tags or filter(None, example.label_set)


def _check_labels(corpus: Corpus, counts: Counts) -> None:
    """Raise UserError unless there is something to learn, and enough for every split."""
    _check_something_to_learn(corpus, counts)
    together = {"duplicates": "together"} if counts.duplicates else {}
    ratios = SplitParameters.model_validate({**OWN_SHARES, **together})
    whole = with_all_splits(corpus, ratios, seed=1)
    in_training: set[str] = set()
    tags_in_training: set[str] = set()
    for example in whole.read("train"):
        in_training.update(example.label_set)
        tags_in_training.update(example.tags)
    if corpus.kind in ("tagged", "joint"):
        counts.unseen_tags = len(set(counts.labels) - tags_in_training)
    classes = counts.intents if corpus.kind == "joint" else counts.labels
    if corpus.kind in ("labelled", "joint") and (unknown := set(classes) - in_training):
        raise UserError(
            f"{corpus.origin('train')}: lacks the label {min(unknown)!r}, which other files have; "
            "add examples of it, or remove it there"
        )


def _check_something_to_learn(corpus: Corpus, counts: Counts) -> None:
    """Raise UserError where every prediction would be the same."""
    origin = corpus.origin("train")
    if corpus.kind == "text" and counts.characters < FEWEST_CHARACTERS:
        raise UserError(
            f"{origin}: {counts.characters} characters are too few for a language model; give "
            f"{FEWEST_CHARACTERS:,} or more"
        )
    if counts.multi_label and not counts.labels:
        raise UserError(f"{origin}: no text has a label; there must be some")
    if corpus.kind == "roles" and not counts.labels:
        raise UserError(f"{origin}: no predicate has an argument; there must be some")
    if counts.multi_label or corpus.kind in ("text", "pairs", "roles"):
        return
    tags, labels = ("tag", counts.labels), ("label", counts.labels)
    asked = {"tagged": [tags], "labelled": [labels], "joint": [tags, ("label", counts.intents)]}
    for what, found in asked[corpus.kind]:
        if len(found) < 2:
            raise UserError(
                f"{origin}: the only {what} is {min(found)!r}; there must be two or more"
            )


def _tokenizer(kind: Kind, counts: Counts, format: str) -> dict[str, Any]:
    """The keys of the tokenizer that the texts ask for."""
    if format in SPACED_FORMATS or kind in TAGGED_KINDS:
        return {}
    if kind == "pairs":
        return _unit_of_pairs(counts, counts.scripts)
    keys: dict[str, Any] = {}
    if not counts.spaced:
        keys["unit"] = "character"
    elif kind == "labelled":
        keys["unit"] = "word"
    if kind == "labelled" and counts.markup and keys["unit"] == "word":
        keys["html_breaks"] = True
    return keys


def _unit_of_pairs(counts: Counts, scripts: Counter[str]) -> dict[str, Any]:
    """Characters where pairs are single words or words are not parted, and case as it is."""
    by_character = counts.spelt or not _spaced(scripts)
    return {"unit": "character" if by_character else "word", "lowercase": False}


def _tokenizer_of_targets(
    kind: Kind, counts: Counts, of_sources: Mapping[str, Any]
) -> dict[str, Any]:
    """The keys of the tokenizer of targets, if it is another than that of sources."""
    if kind != "pairs" or "unit" not in of_sources:
        return {}
    found = {**of_sources, **_unit_of_pairs(counts, counts.target_scripts)}
    return {} if found == of_sources else found


def _measure(corpus: Corpus, counts: Counts, dataset: FilesDataset) -> None:
    """Count the tokens of every example."""
    sources = make_tokenizer(dataset.tokenizer).tokens
    targets = make_tokenizer(dataset.target.tokenizer or dataset.tokenizer).tokens
    types: Counter[str] = Counter()
    of_targets: Counter[str] = Counter()
    for split in corpus.splits():
        for example in corpus.read(split):
            if example.predicate is not None:
                continue
            tokens = example.tokens or sources(" ".join([*example.context, example.text]))
            counts.lengths.append(len(tokens))
            types.update(tokens)
            if corpus.kind == "pairs":
                tokens = targets(example.target)
                counts.target_lengths.append(len(tokens))
                of_targets.update(tokens)
    more = max(types, of_targets, key=len)
    counts.types = len(more)
    counts.singletons = sum(count == 1 for count in more.values())

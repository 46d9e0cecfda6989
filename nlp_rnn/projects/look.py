"""What a user's files hold: read as training would read them, and said in words."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from nlp_rnn.config import FilesDataset, SplitParameters, TokenizerParameters
from nlp_rnn.config.data import ANNOTATION_FORMATS, RECORD_FORMATS
from nlp_rnn.corpora import open_corpus
from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.corpora.duplicates import text_hash
from nlp_rnn.corpora.files import FilesCorpus
from nlp_rnn.corpora.splits import with_all_splits
from nlp_rnn.errors import UserError
from nlp_rnn.example import SPLITS, Example, Kind
from nlp_rnn.projects.columns import conll_settings, conllu_settings, table_settings
from nlp_rnn.projects.formats import expanded, format_of, parts, path_of
from nlp_rnn.task_kinds import TASK_KINDS
from nlp_rnn.text.annotated import (
    COUNTED,
    OF_DOCUMENTS,
    said_of_documents,
    said_of_spans,
    summed,
    with_tags,
)
from nlp_rnn.text.characters import scripts
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

_MARKUP = re.compile(r"<br\s*/?>|&(?:#\d+|[a-z]+);", re.IGNORECASE)


@dataclass(frozen=True)
class Given:
    """What the user says of the data; what is missing is looked for.

    Attributes:
        name: of the data set.
        splits: the paths of each split.
        format: of all files.
        task: of ``params.yaml``.
        reading: keys of a data set of ``params.yaml`` that say how files are read.
    """

    name: str
    splits: Mapping[str, Sequence[str]]
    format: str | None = None
    task: str | None = None
    reading: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Counts:
    """What all examples of some files show together.

    Attributes:
        examples: of each split.
        labels: how often each label or tag occurs.
        multi_label: whether a text may have any number of labels.
        without_label: the texts that have none.
        lengths: tokens of each example.
        characters: of running text, line ends included.
        types: different tokens.
        singletons: of these, those that occur once.
        scripts: letters of each script, in a sample.
        duplicates: examples whose text stood there before.
        conflicting: of these, those with another label.
        markup: whether more than one text in a hundred holds HTML.
    """

    examples: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    multi_label: bool = False
    without_label: int = 0
    lengths: array[int] = field(default_factory=lambda: array("q"))
    characters: int = 0
    types: int = 0
    singletons: int = 0
    scripts: Counter[str] = field(default_factory=Counter)
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
        return int(np.quantile(self.lengths, share, method="inverted_cdf"))

    @property
    def imbalanced(self) -> bool:
        """Whether some label has less than half of an equal share."""
        return 2 * min(self.labels.values()) * len(self.labels) < self.labels.total()

    @property
    def spaced(self) -> bool:
        """Whether words are written with spaces between them, by most letters."""
        without = sum(self.scripts[script] for script in WITHOUT_SPACES)
        return 2 * without <= self.scripts.total()


@dataclass(frozen=True)
class Sight:
    """What the files hold, and how they are to be read.

    Attributes:
        splits: the paths of each split that has files.
        format: of all of them.
        reading: the keys of the data set that are not those of the format by itself.
        kind: of examples.
        scheme: of entity tags; None for other tags and texts.
        tokenizer: the keys of the tokenizer that the texts ask for.
        counts: of all examples.
        spans: how many spans of characters are of each kind of ``COUNTED``; empty for formats
            without them.
        documents: what ``OF_DOCUMENTS`` counts; empty where no documents were cut.
    """

    splits: dict[str, list[str]]
    format: str
    reading: dict[str, Any]
    kind: Kind
    scheme: str | None
    tokenizer: dict[str, Any]
    counts: Counts
    spans: Mapping[str, int] = field(default_factory=dict)
    documents: Mapping[str, int] = field(default_factory=dict)

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
    bad_bytes = given.reading.get("bad_bytes", "error")
    format = given.format or format_of(splits, given.task, bad_bytes)
    reading = {key: value for key, value in given.reading.items() if key != "bad_bytes"}
    first = path_of(splits["train"][0])
    if format in ("csv", "tsv", "jsonl", "parquet"):
        reading = table_settings(first, format, reading, bad_bytes)
        if reading.get("header"):
            del reading["header"]
    elif format == "conll":
        reading = conll_settings(first, reading, bad_bytes)
    elif format == "conllu":
        reading = conllu_settings(first, reading, bad_bytes)
    if format == "folders" and given.task == "language_modelling":
        reading["kind"] = "text"
    tokenizer: dict[str, Any] = {} if bad_bytes == "error" else {"bad_bytes": bad_bytes}
    if format in ANNOTATION_FORMATS:
        tokenizer |= _unit_of_annotated(given.name, splits, format, reading, tokenizer)
    corpus = _opened(given.name, splits, format, reading, tokenizer)
    _check_task(given.task, corpus.kind, format)
    counts = _counted(corpus)
    _check_labels(corpus, counts)
    tokenizer |= _tokenizer(corpus.kind, counts)
    _measure(corpus, counts, TokenizerParameters.model_validate(tokenizer))
    found = corpus.findings()
    return Sight(
        splits,
        format,
        reading,
        corpus.kind,
        found.get("scheme"),
        tokenizer,
        counts,
        summed(found.get("spans", {}), COUNTED),
        summed(found.get("documents", {}).get("splits", {}), OF_DOCUMENTS),
    )


def _opened(
    name: str,
    splits: Mapping[str, Sequence[str]],
    format: str,
    reading: Mapping[str, Any],
    tokenizer: Mapping[str, Any],
) -> Corpus:
    dataset = _dataset(splits, format, reading, tokenizer)
    return with_tags(open_corpus(name, dataset, Path()), dataset)


def _unit_of_annotated(
    name: str,
    splits: Mapping[str, Sequence[str]],
    format: str,
    reading: Mapping[str, Any],
    tokenizer: Mapping[str, Any],
) -> dict[str, Any]:
    """The unit of the words of annotated texts: characters, where no spaces part words."""
    corpus = FilesCorpus(name, _dataset(splits, format, reading, tokenizer), Path())
    counts = Counts()
    for annotated in islice(corpus.annotated("train"), SAMPLED):
        counts.scripts.update(scripts(annotated.text[:LOOKED_AT]))
    return {} if counts.spaced else {"unit": "character"}


def _dataset(
    splits: Mapping[str, Sequence[str]],
    format: str,
    reading: Mapping[str, Any],
    tokenizer: Mapping[str, Any],
) -> FilesDataset:
    from pydantic import ValidationError

    section = {"source": "files", "format": format, "tokenizer": tokenizer, **reading, **splits}
    try:
        return FilesDataset.model_validate(section)
    except ValidationError as error:
        raise UserError(error.errors()[0]["msg"]) from None


def _check_task(task: str | None, kind: Kind, format: str) -> None:
    if task is not None and (needed := TASK_KINDS[task].data) != kind:
        formats = {
            "labelled": "csv, tsv, jsonl, parquet, folders or fasttext",
            "tagged": f"conll, conllu, {', '.join(ANNOTATION_FORMATS)}, or jsonl or parquet with "
            "lists of words and tags",
            "text": "text or folders",
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
            counts.examples[split] += 1
            counts.labels.update(_labels(example))
            counts.multi_label = example.labels is not None
            counts.without_label += example.labels == ()
            counts.characters += len(example.text) + 1
            if sampled < SAMPLED:
                sampled += 1
                text = example.text or " ".join(example.tokens)
                counts.scripts.update(scripts(text[:LOOKED_AT]))
                marked += _MARKUP.search(text) is not None
            if not corpus.continuous:
                label = first_label.setdefault(text_hash(example), example.label_set)
                counts.conflicting += set(label) != set(example.label_set)
    if not corpus.continuous:
        counts.duplicates = counts.total - len(first_label)
    counts.markup = marked * 100 > sampled
    return counts


def _labels(example: Example) -> Iterable[str]:
    return example.tags or filter(None, example.label_set)


def _check_labels(corpus: Corpus, counts: Counts) -> None:
    """Raise UserError unless there is something to learn, and enough for every split."""
    if corpus.kind == "text" and counts.characters < FEWEST_CHARACTERS:
        raise UserError(
            f"{corpus.origin('train')}: {counts.characters} characters are too few for a language "
            f"model; give {FEWEST_CHARACTERS:,} or more"
        )
    if counts.multi_label and not counts.labels:
        raise UserError(f"{corpus.origin('train')}: no text has a label; there must be some")
    if corpus.kind != "text" and len(counts.labels) < 2 and not counts.multi_label:
        (label,) = counts.labels
        what = "tag" if corpus.kind == "tagged" else "label"
        raise UserError(
            f"{corpus.origin('train')}: the only {what} is {label!r}; there must be two or more"
        )
    together = {"duplicates": "together"} if counts.duplicates else {}
    ratios = SplitParameters.model_validate({**OWN_SHARES, **together})
    whole = with_all_splits(corpus, ratios, seed=1)
    in_training = {label for example in whole.read("train") for label in _labels(example)}
    if corpus.kind == "labelled" and (unknown := set(counts.labels) - in_training):
        raise UserError(
            f"{corpus.origin('train')}: lacks the label {min(unknown)!r}, which other files have; "
            "add examples of it, or remove it there"
        )


def _tokenizer(kind: Kind, counts: Counts) -> dict[str, Any]:
    """The keys of the tokenizer that the texts ask for."""
    keys: dict[str, Any] = {}
    if not counts.spaced and kind != "tagged":
        keys["unit"] = "character"
    elif kind == "labelled":
        keys["unit"] = "word"
    if kind == "labelled" and counts.markup and keys["unit"] == "word":
        keys["html_breaks"] = True
    return keys


def _measure(corpus: Corpus, counts: Counts, parameters: TokenizerParameters) -> None:
    """Count the tokens of every example."""
    tokens_of = make_tokenizer(parameters).tokens
    types: Counter[str] = Counter()
    for split in corpus.splits():
        for example in corpus.read(split):
            tokens = example.tokens or tokens_of(example.text)
            counts.lengths.append(len(tokens))
            types.update(tokens)
    counts.types = len(types)
    counts.singletons = sum(count == 1 for count in types.values())


# --- in words -------------------------------------------------------------------------

UNITS = {"labelled": "labelled text", "tagged": "tagged sentence", "text": "line"}


def described(sight: Sight) -> list[str]:
    """What the files hold, a line for each thing."""
    counts = sight.counts
    files = [path for _, path in parts(sight.splits)]
    named = " and ".join(files[:3] if len(files) == 3 else files[:2])
    more = f" and {len(files) - 2} more" if len(files) > 3 else ""
    lines = [f"{named}{more}: {', '.join([sight.format, *_read_as(sight)])}"]
    lines.append(
        f"examples: {counts.total:,} {UNITS[sight.kind]}{'s' * (counts.total != 1)}"
        + (f" ({_split_sizes(sight)})" if len(sight.splits) > 1 else "")
    )
    if sight.kind == "labelled":
        lines.append(f"labels: {_labels_in_words(counts)}")
    elif sight.scheme:
        types = Counter({t[2:]: n for t, n in counts.labels.items() if t.startswith("B-")})
        lines.append(
            f"tags: {types.total():,} entities in the scheme {sight.scheme}: {_balance(types)}"
        )
    elif sight.kind == "tagged":
        lines.append(f"tags: classes of words, no entities: {_balance(counts.labels)}")
    if sight.spans:
        lines.append(f"spans: {said_of_spans(sight.spans)}")
    if sight.documents:
        lines.append(f"documents: {said_of_documents(sight.documents)}")
    lines.append(_lengths(sight))
    lines.append(f"scripts: {_shares(counts.scripts)}")
    if sight.kind != "text":
        lines.append(f"duplicates: {_duplicates(sight)}")
    if sight.lacking:
        shares = " and ".join(f"{OWN_SHARES[split]:.0%} for {split}" for split in sight.lacking)
        lines.append(f"splits: {shares} will be taken from the training data")
    return lines


def _read_as(sight: Sight) -> Iterator[str]:
    reading = sight.reading
    if sight.format in ("csv", "tsv"):
        delimiter = reading.get("delimiter", "," if sight.format == "csv" else "\t")
        yield "separated by " + ("tabs" if delimiter == "\t" else f"'{delimiter}'")
        yield "with a header" if "header" not in reading else "without a header"
    if sight.kind == "tagged" and sight.format in RECORD_FORMATS:
        yield f"words in column {reading['text_column']!r}, tags in {reading['tag_column']!r}"
    if reading.keys() & {"label_column", "label_columns"}:
        yield f"text in column {reading['text_column']!r}, {_labels_read_as(reading)}"
    if sight.format == "conll":
        tag = reading.get("tag_column", "the last one")
        yield f"words in column {reading.get('word_column', 0)} (counted from 0), tags in {tag}"
    if sight.format == "conllu":
        yield f"tags from {reading.get('tag_column', 'upos')}"


def _labels_read_as(reading: Mapping[str, Any]) -> str:
    if "label_columns" in reading:
        return f"{len(reading['label_columns'])} labels in a column each"
    if "label_separator" in reading:
        return f"labels in {reading['label_column']!r} with '{reading['label_separator']}' between"
    return f"label in {reading['label_column']!r}"


def _labels_in_words(counts: Counts) -> str:
    """How many texts have each label."""
    if not counts.multi_label:
        return _balance(counts.labels)
    mean, none = counts.labels.total() / counts.total, counts.without_label
    return (
        f"any number for a text, {mean:.1f} on average, none for {none / counts.total:.0%}; "
        f"{len(counts.labels)} in all: {_balance(counts.labels)}"
    )


def _split_sizes(sight: Sight) -> str:
    return ", ".join(f"{split} {count:,}" for split, count in sight.counts.examples.items())


def _balance(labels: Counter[str], most: int = 6) -> str:
    """The most frequent labels with their shares."""
    total = labels.total()
    shown = [f"{label} {count / total:.0%}" for label, count in labels.most_common(most)]
    if len(labels) > most:
        rarest, count = labels.most_common()[-1]
        shown.append(f"… {len(labels)} in all, the rarest {rarest} ({count:,} times)")
    return ", ".join(shown)


def _lengths(sight: Sight) -> str:
    counts = sight.counts
    unit = "characters" if sight.tokenizer.get("unit") == "character" else "words"
    if sight.kind == "text":
        characters = f", {counts.characters:,} characters" if unit == "words" else ""
        return f"length: {counts.tokens:,} {unit}{characters}, {counts.types:,} different {unit}"
    return (
        f"lengths: half of them at most {counts.longest(0.5)} {unit}, 95% at most "
        f"{counts.longest(0.95)}, the longest {counts.longest(1)}; {counts.types:,} different ones"
    )


def _shares(scripts: Counter[str]) -> str:
    total = scripts.total()
    shown = [
        f"{script.title() if script != 'CJK' else script} {count / total:.0%}"
        for script, count in scripts.most_common(4)
        if count * 100 >= total
    ]
    return ", ".join(shown) or "no letters"


def _duplicates(sight: Sight) -> str:
    counts = sight.counts
    if not counts.duplicates:
        return "none"
    found = f"{counts.duplicates:,} ({counts.duplicates / counts.total:.1%})"
    if sight.lacking:
        with_what = (
            "each kept with its document"
            if sight.documents
            else "kept in one split with their first"
        )
        found += f", {with_what}"
    if counts.conflicting:
        found += f"; {counts.conflicting:,} of them have another label than their first"
    return found

"""``datasets:`` of ``params.yaml``: where examples come from and how text becomes indices."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from nlp_rnn.config.section import Section, impossible
from nlp_rnn.example import SPLITS, Kind, Scheme

Reason = Literal["duplicates", "contradictions", "leakage"]
"""Why an example is left out of training."""


class TokenizerParameters(Section, title="Tokenizer"):
    """How raw text becomes tokens."""

    unit: Literal["auto", "word", "whitespace", "character", "subword"] = "auto"
    """What a token is. ``word`` is a word or a single other visible character, ``whitespace`` is
    whatever white space separates, ``character`` is one character, and ``subword`` is a piece that
    is learned from the training split. ``auto`` chooses ``word``; for tagged sentences it chooses
    whichever of ``word`` and ``whitespace`` cuts raw text more nearly into the words of the
    training split."""
    lowercase: bool = True
    """Whether every token is written in lower case."""
    digits: Literal["keep", "zero"] = "keep"
    """``keep`` leaves digits as they are, ``zero`` writes every decimal digit as 0."""
    unicode: Literal["NFC", "NFKC", "none"] = "NFC"
    """The Unicode normal form that tokens are brought to. ``NFC`` joins letters with their marks,
    ``NFKC`` also replaces compatibility characters such as ligatures, and ``none`` changes
    nothing."""
    html_breaks: bool = False
    """``true`` reads ``<br />`` as a space and HTML entities as the characters that they name."""
    bad_bytes: Literal["error", "replace"] = "error"
    """What becomes of bytes that are not UTF-8. ``error`` stops and names their line, ``replace``
    reads them as U+FFFD."""
    rules: Literal[1, 2] = 2
    """The version of the tokenizer's rules: 2 are those of today, 1 those from before they had
    numbers."""

    @model_validator(mode="after")
    def _breaks_are_between_words(self) -> TokenizerParameters:
        if self.html_breaks and self.unit == "character":
            raise impossible("html_breaks is for words and subwords, not for unit: character")
        return self


class VocabularyParameters(Section, title="Vocabulary"):
    """Which types of the training split get an index of their own."""

    size: int | None = Field(default=None, ge=4)
    """The largest number of types that are kept, special tokens included; the most frequent ones
    stay. ``null`` keeps all."""
    min_count: int = Field(default=1, ge=1)
    """Types that occur less often than this in the training split become ``<unk>``."""


class SplitParameters(Section, title="Split"):
    """Shares of the training data that become splits without a file of their own."""

    validation: float = Field(default=0.1, gt=0, lt=1)
    """The share of the training data that becomes the validation split, where that has no file of
    its own."""
    test: float = Field(default=0.1, gt=0, lt=1)
    """The share of the training data that becomes the test split, where that has no file of its
    own."""
    duplicates: Literal["anywhere", "together"] = "anywhere"
    """Where examples with the same text go. ``anywhere`` draws them one by one, ``together`` puts
    all of them into the same split, so that no copy of a test example is in training."""
    groups: str | int | None = None
    """For tables of labelled texts: the column of what a text has in common with others, such as
    its author, named or counted as ``text_column``. Texts of the same group go into the same split.
    ``null`` draws texts one by one."""
    folds: int | None = Field(default=None, ge=2)
    """How many folds cross-validation has; 10 is usual (Kohavi 1995). The training data is divided
    into so many parts, labels in proportion. Each part is the test split of one training on the
    others, which also give the validation split, so that every example is tested once. For
    labelled texts and tagged sentences without a test file. ``null`` trains once."""

    @model_validator(mode="after")
    def _one_reason_to_stay_together(self) -> SplitParameters:
        if self.groups is not None and self.duplicates == "together":
            raise impossible("groups and duplicates: together: choose one of them")
        if self.folds is not None and "test" in self.model_fields_set:
            raise impossible("test: each of the folds is a test split; leave test out")
        return self


class TargetParameters(Section, title="Target"):
    """How the targets of pairs become indices."""

    shared: bool = False
    """Whether sources and targets have one vocabulary, and so one tokenizer and one embedding."""
    tokenizer: TokenizerParameters | None = None
    """How targets become tokens; ``null`` is as sources do."""
    vocabulary: VocabularyParameters | None = None
    """Which types of targets get an index of their own; ``null`` is as for sources."""

    @model_validator(mode="after")
    def _one_vocabulary_is_the_sources(self) -> TargetParameters:
        for name in ("tokenizer", "vocabulary"):
            if self.shared and getattr(self, name) is not None:
                raise impossible(f"target.shared takes the {name} of sources: leave {name} out")
        return self


class KeptPairs(Section, title="Kept pairs"):
    """Which pairs of the training split are learned from; the others are counted in the data
    card."""

    longest: int | None = Field(default=None, gt=0)
    """The most tokens of a source or a target; ``null`` keeps all."""
    ratio: float | None = Field(default=None, gt=1)
    """How many times as long as the other the longer side of a pair may be, in tokens; ``null``
    keeps all."""


class DatasetSection(Section, title="Every data set"):
    """What every data set has, whatever its source."""

    tokenizer: TokenizerParameters = TokenizerParameters()
    """How text becomes tokens."""
    vocabulary: VocabularyParameters = VocabularyParameters()
    """Which types get an index of their own."""
    target: TargetParameters = TargetParameters()
    """For ``pairs``: the same for targets."""
    keep: KeptPairs = KeptPairs()
    """For ``pairs``: which of the training split are learned from."""
    split: SplitParameters = SplitParameters()
    """How much of the training data goes to splits that have no file of their own."""
    unseen_labels: Literal["error", "keep"] = "error"
    """What happens to a label or tag that validation or test have and training lacks. ``error``
    stops and names the example; ``keep`` gives it an output that no example trains, so that it
    counts as an error of every model."""
    remove: list[Reason] = Field(default_factory=list)
    """Which examples are left out of training, and counted in the data card. ``duplicates`` are
    those whose text and label stood before, ``contradictions`` those whose text has another label
    elsewhere in training, and ``leakage`` those whose text is also in validation or test."""
    seed: int = Field(default=1, ge=0)
    """The seed that draws these splits, and the examples of a built-in corpus."""
    licence: str = "not stated"
    """The licence of the data. It is copied to the data card."""
    citation: str = "not stated"
    """What to cite for the data. It is copied to the data card."""

    @property
    def cut_by_tokenizer(self) -> bool:
        """Whether the words of tagged sentences are those of the tokenizer."""
        return False

    @model_validator(mode="after")
    def _folds_fit_the_kind(self) -> Self:
        kind = self.kind  # type: ignore[attr-defined]
        if self.split.folds is not None and kind not in ("labelled", "tagged"):
            raise impossible(
                f"split.folds is for labelled texts and tagged sentences, not for {kind}; "
                "leave it out"
            )
        if self.split.groups is not None and not isinstance(self, FilesDataset):
            raise impossible("split.groups is a column of files of your own; leave it out")
        if self.split.folds is not None and isinstance(
            self, GrammarDataset | MemoryDataset | PairsDataset
        ):
            raise impossible(
                "split.folds: a built-in corpus has a test split of its own; leave it out"
            )
        return self


class Sizes(Section, title="Sizes"):
    """How many examples each split of a built-in corpus has."""

    train: int = Field(gt=0)
    """Reviews, sentences, lines or sequences of the training split."""
    validation: int = Field(gt=0)
    """The same for the validation split."""
    test: int = Field(gt=0)
    """The same for the test split."""


class GrammarDataset(DatasetSection, title="Built-in grammar"):
    """A corpus that the built-in probabilistic grammar writes. Its optimum is known exactly."""

    source: Literal["grammar"]
    """``grammar`` chooses the built-in grammar."""
    corpus: Literal["reviews", "parts_of_speech", "entities", "text", "skewed_reviews"]
    """What the grammar writes. ``reviews`` have a label that order and negation decide,
    ``parts_of_speech`` are sentences with a part of speech for each word, ``entities`` are
    sentences with named entities in BIO tags, and ``text`` is running text. One in twenty of
    ``skewed_reviews`` is negative."""
    sizes: Sizes
    """How many reviews, sentences or lines each split has."""
    tokenizer: TokenizerParameters = TokenizerParameters(unit="whitespace", lowercase=False)
    """How text becomes tokens. Tokens are the grammar's own words, or for ``text`` their
    characters; for ``entities`` and ``text`` case is kept."""

    @property
    def kind(self) -> Kind:
        kinds: dict[str, Kind] = {
            "reviews": "labelled",
            "skewed_reviews": "labelled",
            "text": "text",
        }
        return kinds.get(self.corpus, "tagged")

    @model_validator(mode="after")
    def _tokens_are_the_grammars_own(self) -> GrammarDataset:
        """The optimum is that of the grammar's own words, so a tokenizer must not change them."""
        units = self.tokenizer
        if units.unit != "whitespace" and not (units.unit == "character" and self.corpus == "text"):
            raise impossible(
                f"tokenizer.unit of the built-in corpus {self.corpus} is 'whitespace'"
                + (" or 'character'" if self.corpus == "text" else "")
            )
        if units.lowercase and self.corpus in ("entities", "text"):
            raise impossible(
                f"tokenizer.lowercase of the built-in corpus {self.corpus} is false, or its known "
                "optimum would be of other words"
            )
        return self


class MemoryDataset(DatasetSection, title="Built-in memory problem"):
    """Sequences that ask a network to remember."""

    source: Literal["memory"]
    """``memory`` chooses a built-in problem."""
    problem: Literal["store_bit", "adding", "copy", "columns"]
    """What is asked. ``store_bit`` asks for a bit that was read at first (Bengio et al. 1994),
    ``adding`` for the sum of two marked digits (Hochreiter & Schmidhuber 1997), ``copy`` for five
    symbols in their order (Arjovsky et al. 2016), and ``columns`` for the column of digits whose
    sum is larger."""
    steps: int = Field(gt=0)
    """How many tokens lie between what must be remembered and where it is asked for."""
    sizes: Sizes
    """How many sequences each split has."""
    tokenizer: TokenizerParameters = TokenizerParameters(unit="whitespace", lowercase=False)
    """Leave this out: a problem is written in tokens of its own. The same holds for
    ``vocabulary``."""

    @property
    def kind(self) -> Kind:
        return "tagged" if self.problem == "copy" else "labelled"

    @model_validator(mode="after")
    def _tokens_are_the_problems_own(self) -> MemoryDataset:
        for name in ("tokenizer", "vocabulary"):
            if getattr(self, name) != MemoryDataset.model_fields[name].default:
                raise impossible(
                    f"the problem {self.problem} is written in tokens of its own: leave {name} out"
                )
        return self


class PairsDataset(DatasetSection, title="Built-in pairs"):
    """Inputs with a target, which a built-in generator writes. Their optimum is known exactly."""

    source: Literal["pairs"]
    """``pairs`` chooses the built-in pairs."""
    corpus: Literal["translation", "addition", "arithmetic", "captions", "questions"]
    """What is asked. ``translation`` asks for a sentence in an invented language, ``addition`` for
    the sum of two numbers, ``arithmetic`` for their sum or difference amid letters that mean
    nothing (Jozefowicz et al. 2015), ``captions`` for a sentence that describes a noisy picture of
    coloured shapes, and ``questions`` for the answer to a question about such a picture."""
    digits: int = Field(default=3, ge=1, le=9)
    """For ``addition`` and ``arithmetic``: the largest number of digits of each number."""
    letters: float = Field(default=1.0, ge=0)
    """For ``arithmetic``: the mean number of letters after each digit."""
    noise: float = Field(default=0.4, gt=0)
    """For ``captions`` and ``questions``: the standard deviation of the noise in each number of a
    picture, whose pixels are 0 or 1 without it."""
    sizes: Sizes
    """How many pairs each split has."""
    tokenizer: TokenizerParameters = TokenizerParameters(unit="whitespace", lowercase=False)
    """Leave this out: pairs are written in tokens of their own. The same holds for
    ``vocabulary``."""

    @property
    def kind(self) -> Kind:
        return "pairs"

    @model_validator(mode="after")
    def _keys_fit_corpus(self) -> PairsDataset:
        users = {
            "digits": ("addition", "arithmetic"),
            "letters": ("arithmetic",),
            "noise": ("captions", "questions"),
        }
        for name, corpora in users.items():
            if name in self.model_fields_set and self.corpus not in corpora:
                raise impossible(
                    f"{name} needs corpus {' or '.join(corpora)}, not {self.corpus}; leave it out"
                )
        return self

    @model_validator(mode="after")
    def _tokens_are_the_pairs_own(self) -> PairsDataset:
        for name in ("tokenizer", "vocabulary"):
            if getattr(self, name) != PairsDataset.model_fields[name].default:
                raise impossible(
                    f"the corpus {self.corpus} is written in tokens of its own: leave {name} out"
                )
            if getattr(self.target, name) is not None:
                raise impossible(
                    f"the corpus {self.corpus} is written in tokens of its own: leave "
                    f"target.{name} out"
                )
        return self


LABELLED_FORMATS = ("csv", "tsv", "jsonl", "parquet", "folders", "fasttext")
TAGGED_FORMATS = ("conll", "conllu")
ANNOTATION_FORMATS = ("prodigy", "doccano", "label-studio", "brat", "webanno")
"""Formats of annotation tools: texts with spans of characters."""
CHOICE_FORMATS = ("prodigy", "doccano", "label-studio")
"""Those of them that hold the labels of whole texts too."""
PAIR_FORMATS = ("captions", "babi", "sigmorphon", "cmudict", "trees")
ROLE_FORMATS = ("propbank",)
PARALLEL = {"target": "targets", "tags": "tags", "labels": "labels"}
"""The end of the keys of files beside the sentences of ``parallel``, and what these hold."""
SPACED_FORMATS = ("sigmorphon", "cmudict", "trees")
"""Formats that are read as tokens parted by spaces, whose case matters."""
RECORD_FORMATS = ("jsonl", "parquet")
"""Tables whose cells may hold lists."""
TABLES = ("csv", "tsv", *RECORD_FORMATS)
"""Formats with columns, which hold labelled texts, or pairs where ``target_column`` is given."""

LANGUAGE = "^[a-z]{2,3}(-[A-Za-z]+)*$"
"""The code of a language, such as ``en``."""

Quoting = Literal["double", "none"]


def check_delimiter(delimiter: str) -> str:
    r"""A delimiter of tables as it is, from how a user writes it: ``tab`` and ``\t`` are a tab.

    Raises:
        ValueError: it is not one character, or one that cannot divide fields.
    """
    delimiter = {"tab": "\t", "\\t": "\t"}.get(delimiter, delimiter)
    if len(delimiter) != 1 or delimiter in '"\r\n\0\ufeff':
        raise ValueError(
            f"expected one character such as ; or | (tab for a tab), found '{delimiter}'"
        )
    return delimiter


def _kind_of_format(section: Mapping[str, Any]) -> Kind:
    """What the files of a data set hold."""
    if section.get("format") == "parallel":
        tags, labels = (section.get(f"train_{side}") is not None for side in ("tags", "labels"))
        return (
            "joint" if tags and labels else "tagged" if tags else "labelled" if labels else "pairs"
        )
    if section.get("format") in PAIR_FORMATS or section.get("target_column") is not None:
        return "pairs"
    if section.get("format") in RECORD_FORMATS and section.get("tag_column") is not None:
        return "tagged"
    if section.get("format") in LABELLED_FORMATS:
        return "labelled"
    if section.get("format") in ROLE_FORMATS:
        return "roles"
    tagged = (*TAGGED_FORMATS, *ANNOTATION_FORMATS)
    return "tagged" if section.get("format") in tagged else "text"


def _files_in(paths: str | list[str] | None) -> int:
    return len([paths] if isinstance(paths, str) else paths or ())


class FilesDataset(DatasetSection, title="Your own files"):
    """Data in files of your own. Paths are relative to ``NLP_RNN_DATA`` (default ``data/raw``), and
    to the project if they begin with ``./`` or ``../``."""

    source: Literal["files"]
    """``files`` chooses your own files."""
    format: Literal[
        "csv",
        "tsv",
        "jsonl",
        "parquet",
        "folders",
        "fasttext",
        "conll",
        "conllu",
        "propbank",
        "prodigy",
        "doccano",
        "label-studio",
        "brat",
        "webanno",
        "text",
        "parallel",
        "captions",
        "babi",
        "sigmorphon",
        "cmudict",
        "trees",
    ]
    """The format of the files. ``csv``, ``tsv``, ``jsonl`` and ``parquet`` have one labelled text
    in each row, or one pair where ``target_column`` is given, and ``jsonl`` and ``parquet`` one
    tagged sentence where ``tag_column`` is given; ``folders`` has one text in each
    file, in a folder named after its label; ``fasttext`` has one text in each line, after its label
    (``__label__spam`` or just ``spam``); ``conll`` and ``conllu`` have one tagged word in each
    line; ``propbank`` has one word in each line, with the frames of predicates and columns of their
    bracketed arguments (CoNLL-2005); ``prodigy``, ``doccano``, ``label-studio``, ``brat`` and
    ``webanno`` are what these annotation tools export, texts with entities as spans of characters;
    ``text`` is running text; ``parallel`` has sentences in the lines of one file, and their tags,
    labels or targets in the same lines of others. Pairs: ``captions`` has targets in its lines, and
    vectors as sources; ``babi`` has stories with questions and answers; ``sigmorphon`` has lemmas,
    forms and features; ``cmudict`` has words with their phonemes; ``trees`` has bracketed trees."""
    target_column: str | int | None = None
    """For pairs in a table: the column of the target, named or counted as ``text_column``."""
    tag_column: int | str | None = None
    """For ``conll``: the column of the tag, counted as ``word_column``; ``null`` is the last one.
    For ``conllu``: ``upos`` (universal parts of speech) or ``xpos`` (those of the language);
    ``null`` is ``upos``. For ``jsonl`` and ``parquet``: the name of the column that holds a list of
    tags, one for each word of the list in ``text_column``; ``null`` reads labelled texts."""
    train: str | list[str]
    """The file, folder or archive of the training split, such as ``tickets.csv`` or
    ``imdb.tar.gz!imdb/train``. Several in a list are read in order, as one. A file or archive may
    also be an address, such as ``s3://bucket/tickets.parquet`` or
    ``https://example.org/tickets.jsonl``: a copy of it is kept under ``NLP_RNN_DATA``."""
    validation: str | list[str] | None = None
    """The same for the validation split; ``null`` takes it from the training data, as ``split``
    says."""
    test: str | list[str] | None = None
    """The same for the test split; ``null`` takes it from the training data, as ``split`` says."""
    train_target: str | list[str] | None = None
    """For ``parallel``: the file of the targets of ``train``, or as many files as ``train`` has."""
    validation_target: str | list[str] | None = None
    """The same for ``validation``."""
    test_target: str | list[str] | None = None
    """The same for ``test``."""
    train_tags: str | list[str] | None = None
    """For ``parallel``, instead of ``train_target``: the file of the tags of ``train``, a line for
    each sentence and a tag for each word, separated by spaces like the words."""
    validation_tags: str | list[str] | None = None
    """The same for ``validation``."""
    test_tags: str | list[str] | None = None
    """The same for ``test``."""
    train_labels: str | list[str] | None = None
    """For ``parallel``, instead of ``train_target``: the file of the labels of ``train``, one in
    each line. With ``train_tags``, a sentence has a label and tags."""
    validation_labels: str | list[str] | None = None
    """The same for ``validation``."""
    test_labels: str | list[str] | None = None
    """The same for ``test``."""
    kind: Kind = Field(default_factory=_kind_of_format)
    """What is read from the files: ``labelled`` texts, ``tagged`` sentences, ``joint`` ones that
    have a label too, sentences with semantic ``roles``, running ``text`` or ``pairs``. The format
    decides (and for ``parallel`` which files are given), except that ``text`` reads the texts of
    ``folders`` without their labels, and those of ``unsup`` too, and that ``labelled`` reads the
    labels of whole texts from ``prodigy``, ``doccano`` and ``label-studio``: one for each text, or
    any number where a text has several."""
    train_features: str | list[str] | None = None
    """For pairs: a file of vectors (``.npy``, ``.npz`` or ``.parquet``) for ``train``, with a row
    for each pair in the same order, or as many files as ``train`` has."""
    validation_features: str | list[str] | None = None
    """The same for ``validation``."""
    test_features: str | list[str] | None = None
    """The same for ``test``."""
    pronunciations: Literal["all", "first"] = "all"
    """For ``cmudict``: ``all`` makes a pair of each variant of a word, ``first`` of the first."""
    most_words: int | None = Field(default=None, gt=0)
    """For ``trees``: sentences with more words are left out of all splits and counted in the data
    card; ``null`` keeps all."""
    text_column: str | int = "text"
    """The column of the text: a name of the header, or in ``csv`` and ``tsv`` also a number,
    counted from 0, or from the end when negative. With ``tag_column``, in ``jsonl`` and
    ``parquet``, it holds a list of words."""
    context_columns: list[str | int] = Field(default_factory=list)
    """For pairs in a table: columns of texts that are read before that of ``text_column``, in this
    order, such as a story before a question."""
    label_column: str | int = "label"
    """The column of the label, named or counted as ``text_column``. A list in it, in ``jsonl`` and
    ``parquet``, gives the text any number of labels. For ``label-studio`` with ``kind: labelled``:
    the name of the choices (``from_name``), which a file needs that has several."""
    label_separator: str | None = None
    """For tables: what separates the labels in a cell of ``label_column``, such as ``;``. A text
    then has any number of labels, and an empty cell has none. ``null`` reads one label."""
    label_columns: list[str] | None = Field(default=None, min_length=1)
    """For tables with a header, instead of ``label_column``: one column for each label, named like
    it, which holds 1 for texts that have the label and 0 for the others. ``null`` reads
    ``label_column``."""
    header: bool = True
    """For ``csv`` and ``tsv``: whether the first row names the columns. If it does not, columns are
    numbers."""
    delimiter: str | None = None
    """For ``csv`` and ``tsv``: the one character that divides fields, or ``tab``. ``null`` is a
    comma in ``csv`` and a tab in ``tsv``."""
    quoting: Quoting | None = None
    """For ``csv`` and ``tsv``: ``double`` reads fields in double quotes (RFC 4180), ``none`` takes
    a quotation mark as a character like any other. ``null`` is ``double`` in ``csv`` and ``none``
    in ``tsv``."""
    suffix: str | None = None
    """For ``folders``: how the names of texts end, such as ``.md``; an empty suffix reads all
    files. ``null`` reads those that end in ``.txt`` (in any case) or have no suffix."""
    word_column: int = Field(default=0)
    """For ``conll`` and ``propbank``: the column of the word, counted from 0; for ``conll`` also
    from the end when negative."""
    frame_column: int = Field(default=2, ge=0)
    """For ``propbank``: the column of the frame of each predicate, such as ``kill.01``, or ``-``
    for other words, counted from 0. The columns of arguments follow it, one for each predicate."""
    scheme: Scheme | Literal["auto"] | None = "auto"
    """For ``conll``, tags of ``parallel``, and ``jsonl`` and ``parquet`` with ``tag_column``: the
    scheme by which tags mark entities, which are kept as BIO. ``auto`` recognises it in the tags of
    all splits, and ``null`` says that tags are classes of words."""
    empty_words: Literal["error", "skip"] = "error"
    """For ``conll`` and ``conllu``: what happens at a line without a word. ``error`` stops,
    ``skip`` leaves the line out and counts it in the data card."""
    spans: Literal["error", "widen", "drop"] = "error"
    """For formats of annotation tools: what happens to a span of characters that no tags can
    express, because it cuts a word, is in several parts or overlaps another. ``error`` stops and
    names it. ``widen`` takes whole words, from the first to the last, and ``drop`` leaves the span
    out; of spans that overlap, both keep the longest. The data card counts them."""
    offsets: Literal["characters", "utf16"] | None = None
    """For formats of annotation tools: what the offsets of spans count, ``characters`` (Unicode
    code points, as in Python) or ``utf16`` code units (as in Java and JavaScript, where most emoji
    count as two). ``null`` is ``utf16`` for ``webanno`` and ``characters`` otherwise."""
    layer: str | None = None
    """For ``webanno``: the layer that holds the types of entities, such as ``webanno.custom.Drug``;
    its feature follows after a vertical bar where it has several. ``null`` is the named entities of
    the tool, or the only layer of spans."""
    unit: Literal["text", "document"] = "text"
    """For formats of annotation tools: what each text is. A ``text`` is one example, and a
    ``document`` is cut into sentences, each of which is one (sentences that an entity crosses are
    joined). The model then cuts what it predicts for too."""
    language: str = Field(default="en", pattern=LANGUAGE)
    """With ``unit: document``: the code of the language by whose rules documents are cut into
    sentences, such as ``de``. A language without rules of its own gets those of English."""

    @property
    def cut_by_tokenizer(self) -> bool:
        return self.format in ANNOTATION_FORMATS and self.kind == "tagged"

    @property
    def has_tag_schemes(self) -> bool:
        """Whether the files hold tags, which may follow any scheme."""
        of_lists = self.format in RECORD_FORMATS and self.tag_column is not None
        return self.format == "conll" or self.train_tags is not None or of_lists

    @model_validator(mode="after")
    def _spans_fit_format(self) -> FilesDataset:
        for name in ("spans", "offsets", "layer", "unit", "language"):
            if name in self.model_fields_set and self.format not in ANNOTATION_FORMATS:
                raise impossible(
                    f"{name} needs format {', '.join(ANNOTATION_FORMATS[:-1])} or "
                    f"{ANNOTATION_FORMATS[-1]}, not {self.format}; leave it out"
                )
            if name in self.model_fields_set and self.kind == "labelled":
                raise impossible(f"{name} is for spans, not for kind: labelled; leave it out")
        if "language" in self.model_fields_set and self.unit != "document":
            raise impossible("language needs unit: document; add it, or leave language out")
        if self.layer is not None and self.format != "webanno":
            raise impossible(f"layer needs format webanno, not {self.format}; leave it out")
        if self.cut_by_tokenizer and self.tokenizer.unit == "subword":
            raise impossible(
                f"tokenizer.unit of format {self.format} is word, whitespace or character: spans "
                "are of words"
            )
        return self

    @model_validator(mode="after")
    def _kind_fits_format(self) -> FilesDataset:
        kinds = [_kind_of_format(self.__dict__)]
        kinds += ["text"] * (self.format == "folders")
        kinds += ["labelled"] * (self.format in CHOICE_FORMATS)
        if self.kind not in kinds:
            possible = " or ".join(f"'{kind}'" for kind in kinds)
            raise impossible(f"kind of format {self.format} is {possible}, not '{self.kind}'")
        return self

    @model_validator(mode="after")
    def _something_to_read(self) -> FilesDataset:
        if [] in (self.train, self.validation, self.test):
            raise impossible("train, validation and test each name one file or folder, or several")
        return self

    @property
    def beside(self) -> list[str]:
        """What the files beside those of a ``parallel`` data set hold, of :data:`PARALLEL`."""
        given = [side for side in PARALLEL if getattr(self, f"train_{side}") is not None]
        return given or ["target"] * (self.format == "parallel")

    @model_validator(mode="after")
    def _parallel_files_fit(self) -> FilesDataset:
        for key in (f"{split}_{side}" for split in SPLITS for side in PARALLEL):
            if self.format != "parallel" and getattr(self, key) is not None:
                raise impossible(f"{key} needs format parallel, not {self.format}; leave it out")
        first, *others = self.beside or [""]
        if first == "target" and others:
            raise impossible(f"train_target is of pairs, and train_{others[0]} is not; choose one")
        for split in SPLITS:
            for side in PARALLEL:
                files, found = (_files_in(getattr(self, key)) for key in (split, f"{split}_{side}"))
                if found and side not in self.beside:
                    raise impossible(f"{split}_{side} needs train_{side} too; add it")
                if side in self.beside and files != found:
                    raise impossible(
                        f"{split} names {files} files and {split}_{side} {found}; format parallel "
                        f"needs a file of {PARALLEL[side]} for each file of sentences"
                    )
        return self

    @model_validator(mode="after")
    def _vectors_fit_pairs(self) -> FilesDataset:
        for split in SPLITS:
            texts, vectors = getattr(self, split), getattr(self, f"{split}_features")
            if vectors is not None and self.kind != "pairs":
                raise impossible(f"{split}_features needs pairs, not {self.kind}; leave it out")
            needed = self.format == "captions" or self.train_features is not None
            if needed and _files_in(vectors) != _files_in(texts):
                raise impossible(
                    f"{split} names {_files_in(texts)} files and {split}_features "
                    f"{_files_in(vectors)}; each file of texts needs one of vectors"
                )
        return self

    @model_validator(mode="before")
    @classmethod
    def _spaces_part_tokens(cls, section: Any) -> Any:
        """Formats that are read as tokens need no words of how they are cut."""
        if isinstance(section, dict) and section.get("format") in SPACED_FORMATS:
            given = section.get("tokenizer", {})
            if isinstance(given, dict):
                as_they_are = {"unit": "whitespace", "lowercase": False}
                return {**section, "tokenizer": {**as_they_are, **given}}
        return section

    @model_validator(mode="after")
    def _keys_of_pairs_fit_format(self) -> FilesDataset:
        if self.format in SPACED_FORMATS and self.tokenizer.unit != "whitespace":
            raise impossible(
                f"tokenizer.unit of format {self.format} is 'whitespace', as spaces part its tokens"
            )
        if "pronunciations" in self.model_fields_set and self.format != "cmudict":
            raise impossible(f"pronunciations needs format cmudict, not {self.format}")
        if self.most_words is not None and self.format != "trees":
            raise impossible(f"most_words needs format trees, not {self.format}; use keep.longest")
        return self

    @model_validator(mode="after")
    def _groups_are_of_labelled_tables(self) -> FilesDataset:
        if self.split.groups is not None and not (
            self.kind == "labelled" and self.format in TABLES
        ):
            raise impossible(
                f"split.groups is a column of tables of labelled texts ({', '.join(TABLES)}); "
                "leave it out"
            )
        labels: Sequence[str | int] = self.label_columns or [self.label_column]
        if self.split.groups in (self.text_column, *labels):
            raise impossible("split.groups: names a column that holds the text or a label already")
        return self

    @model_validator(mode="after")
    def _folds_have_no_test_file(self) -> FilesDataset:
        if self.split.folds is not None and self.test is not None:
            raise impossible(
                "split.folds tests each example of train once: list the file of test under train, "
                "or leave folds out"
            )
        return self

    @model_validator(mode="after")
    def _target_columns_are_of_tables(self) -> FilesDataset:
        columns = [self.text_column, self.target_column, *self.context_columns]
        if self.format not in TABLES and (self.target_column or self.context_columns):
            raise impossible(
                f"target_column and context_columns need a table, not format {self.format}"
            )
        if self.context_columns and self.target_column is None:
            raise impossible("context_columns are of pairs: they need target_column")
        if self.target_column is not None and len(set(columns)) < len(columns):
            raise impossible("text_column, target_column and context_columns are each another one")
        if self.target_column is not None and "label_column" in self.model_fields_set:
            raise impossible("label_column and target_column: a row has a label or a target")
        return self

    @property
    def question(self) -> str | None:
        """For Label Studio: the name of the choices that are read; None for the only ones."""
        given = self.format == "label-studio" and "label_column" in self.model_fields_set
        return str(self.label_column) if given else None

    @property
    def multi_label(self) -> bool:
        """Whether the parameters say that a text may have any number of labels."""
        return self.label_separator is not None or self.label_columns is not None

    @model_validator(mode="after")
    def _labels_fit_format(self) -> FilesDataset:
        keys = ("label_separator", "label_columns")
        given = [key for key in keys if getattr(self, key) is not None]
        if not given:
            return self
        if self.format not in TABLES or self.kind != "labelled":
            raise impossible(
                f"{given[0]} needs labelled texts in a table ({', '.join(TABLES)}); leave it out"
            )
        if len(given) == 2 or (self.label_columns and "label_column" in self.model_fields_set):
            raise impossible(
                "label_columns has a column for each label, so it goes with neither label_column "
                "nor label_separator"
            )
        if self.label_separator is not None and not self.label_separator.strip("\r\n"):
            raise impossible("label_separator is one or more characters, such as '|'")
        if self.label_columns is not None:
            columns = [self.text_column, *self.label_columns]
            if len(set(columns)) < len(columns):
                raise impossible("text_column and label_columns are each another column")
            if not self.header:
                raise impossible("label_columns needs a header, which names the labels")
        return self

    @field_validator("delimiter")
    @classmethod
    def _delimiter_divides(cls, value: str | None) -> str | None:
        try:
            return value if value is None else check_delimiter(value)
        except ValueError as error:
            raise impossible(str(error)) from None

    @model_validator(mode="after")
    def _table_fits_format(self) -> FilesDataset:
        given = self.model_fields_set
        tables = self.format in ("csv", "tsv")
        for name in ("header", "delimiter", "quoting"):
            if name in given and not tables:
                raise impossible(f"{name} needs format csv or tsv, not {self.format}; leave it out")
        asked = "label_column" if self.target_column is None else "target_column"
        for name in ("text_column", asked):
            column = getattr(self, name)
            asks = self.format == "label-studio" and self.kind == "labelled"
            others = CHOICE_FORMATS if name == "text_column" else ("label-studio",) * asks
            if name in given and self.format not in (*TABLES, *others):
                raise impossible(f"{name} is not for format {self.format}; leave it out")
            if isinstance(column, int) and not tables:
                raise impossible(f"{name} of format {self.format} is a name, not a number")
            if isinstance(column, str) and not self.header:
                raise impossible(
                    f"without a header, {name} is a number, counted from 0: set {name}: 0 or "
                    "another"
                )
        labelled = self.kind == "labelled" and self.format in TABLES and not self.label_columns
        if labelled and self.text_column == self.label_column:
            raise impossible("text_column and label_column are the same column")
        if self.suffix is not None and self.format != "folders":
            raise impossible(f"suffix needs format folders, not {self.format}; leave it out")
        return self

    @model_validator(mode="after")
    def _columns_fit_format(self) -> FilesDataset:
        if "frame_column" in self.model_fields_set and self.format not in ROLE_FORMATS:
            raise impossible(f"frame_column needs format propbank, not {self.format}")
        if self.format in ROLE_FORMATS and not 0 <= self.word_column < self.frame_column:
            raise impossible(
                "word_column of format propbank is counted from 0, before frame_column"
            )
        if self.format == "conllu" and self.tag_column not in (None, "upos", "xpos"):
            raise impossible(
                f"tag_column of format conllu is 'upos' or 'xpos', not {self.tag_column!r}"
            )
        if self.format == "conll" and isinstance(self.tag_column, str):
            raise impossible("tag_column of format conll is a column number, not a name")
        if self.format in RECORD_FORMATS and self.tag_column is not None:
            self._check_columns_of_lists()
        tag_column = -1 if self.tag_column is None else self.tag_column
        if self.format == "conll" and self.word_column == tag_column:
            raise impossible("word_column and tag_column are the same column")
        with_tags = (*TAGGED_FORMATS, *RECORD_FORMATS)
        if self.tag_column is not None and self.format not in with_tags:
            raise impossible(
                f"tag_column needs format {', '.join(with_tags[:-1])} or {with_tags[-1]}, not "
                f"{self.format}"
            )
        if self.scheme not in (None, "auto") and not self.has_tag_schemes:
            raise impossible(
                "scheme needs format conll, parallel with train_tags, or tag_column in jsonl or "
                f"parquet, not {self.format}"
            )
        if self.empty_words != "error" and self.format not in TAGGED_FORMATS:
            raise impossible(f"empty_words needs format conll or conllu, not {self.format}")
        return self

    def _check_columns_of_lists(self) -> None:
        if isinstance(self.tag_column, int):
            raise impossible(f"tag_column of format {self.format} is a name, not a number")
        if self.tag_column == self.text_column:
            raise impossible("text_column and tag_column are the same column")
        for name in ("label_column", "target_column"):
            if name in self.model_fields_set:
                raise impossible(f"{name} and tag_column: a row is labelled, a pair or tagged")


class LibraryDataset(DatasetSection, title="Data sets of a library"):
    """A text data set that a library knows by its name."""

    train: str = "train"
    """The training split, as the library writes it, such as ``train`` or, in TensorFlow Datasets,
    ``train[:90%]``."""
    validation: str | None = None
    """The same for the validation split; ``null`` takes it from the training data, as ``split``
    says."""
    test: str | None = None
    """The same for the test split; ``null`` takes it from the training data, as ``split`` says."""
    kind: Kind
    """What its examples are: ``labelled`` texts, ``tagged`` sentences or lines of running
    ``text``."""
    scheme: Scheme | Literal["auto"] | None = "auto"
    """For ``tagged``: the scheme by which tags mark entities, as in your own files."""


class TfdsDataset(LibraryDataset, title="TensorFlow Datasets"):
    """A text data set of TensorFlow Datasets, by its name there."""

    source: Literal["tfds"]
    """``tfds`` chooses TensorFlow Datasets."""
    name: str
    """The name of the data set, such as ``imdb_reviews`` or ``glue/sst2``."""
    text_feature: str = "text"
    """For ``labelled`` and ``text``: the feature that holds the text."""
    label_feature: str = "label"
    """For ``labelled``: the feature that holds the label."""
    tokens_feature: str = "tokens"
    """For ``tagged``: the feature that holds the words."""
    tags_feature: str = "tags"
    """For ``tagged``: the feature that holds the tags."""


_HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
"""A name on the hub, which becomes a folder: ``organisation/name``."""


class HuggingFaceDataset(LibraryDataset, title="Hugging Face datasets"):
    """A text data set of the Hugging Face hub, or a folder laid out like one. Only files of data
    are read; code of a data set is never run."""

    source: Literal["huggingface"]
    """``huggingface`` chooses Hugging Face datasets."""
    name: str | None = None
    """The name on the hub, such as ``stanfordnlp/imdb``."""
    path: str | None = None
    """Instead of ``name``: a folder of files laid out as on the hub, or one that
    ``save_to_disk`` wrote. It is relative to ``NLP_RNN_DATA``."""
    configuration: str | None = None
    """The configuration of the data set, such as ``en``; ``null`` is its default."""
    revision: str | None = None
    """With ``name``, required: the commit hash or tag that pins the data."""
    streaming: bool = False
    """With ``name``: ``true`` reads the data over the network each time instead of keeping a copy
    under ``NLP_RNN_DATA``. This is for data sets that are too large for the disk."""
    text_column: str = "text"
    """For ``labelled`` and ``text``: the column of the text."""
    label_column: str = "label"
    """For ``labelled``: the column of the label. Numbers of classes become their names."""
    tokens_column: str = "tokens"
    """For ``tagged``: the column of the lists of words."""
    tags_column: str = "tags"
    """For ``tagged``: the column of the lists of tags. Numbers of classes become their names."""

    @model_validator(mode="after")
    def _one_place(self) -> HuggingFaceDataset:
        if (self.name is None) == (self.path is None):
            raise impossible("give either name, for a data set of the hub, or path, for a folder")
        if self.path is not None:
            for key in ("revision", "streaming"):
                if key in self.model_fields_set:
                    raise impossible(f"{key} needs name, as a folder has none; leave it out")
        elif not _HUB_NAME.fullmatch(str(self.name)):
            raise impossible(f"name is 'organisation/name' as on the hub, not '{self.name}'")
        elif self.revision in (None, "", "main"):
            raise impossible(
                "revision must pin the data: set it to a tag or a commit hash, which "
                f"https://huggingface.co/datasets/{self.name}/commits/main lists"
            )
        return self

    @model_validator(mode="after")
    def _columns_differ(self) -> HuggingFaceDataset:
        if self.kind == "labelled" and self.text_column == self.label_column:
            raise impossible("text_column and label_column are the same column")
        if self.kind == "tagged" and self.tokens_column == self.tags_column:
            raise impossible("tokens_column and tags_column are the same column")
        return self


AnyDataset = (
    GrammarDataset | MemoryDataset | PairsDataset | FilesDataset | TfdsDataset | HuggingFaceDataset
)
Dataset = Annotated[AnyDataset, Field(discriminator="source")]

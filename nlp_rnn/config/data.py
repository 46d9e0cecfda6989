"""``datasets:`` of ``params.yaml``: where examples come from and how text becomes indices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from nlp_rnn.config.section import Section, impossible
from nlp_rnn.example import Kind, Scheme


class TokenizerParameters(Section):
    """How raw text becomes tokens (see :mod:`nlp_rnn.text.tokenizers`)."""

    unit: Literal["auto", "word", "whitespace", "character", "subword"] = "auto"
    """``auto``: words; for tagged sentences whichever of ``word`` and ``whitespace`` cuts raw text
    more nearly into the words that the training split gives."""
    lowercase: bool = True
    digits: Literal["keep", "zero"] = "keep"
    """``zero`` writes every decimal digit as 0."""
    unicode: Literal["NFC", "NFKC", "none"] = "NFC"
    html_breaks: bool = False
    """``true`` reads ``<br />`` as a space and HTML entities as their characters."""
    bad_bytes: Literal["error", "replace"] = "error"
    """What undecodable UTF-8 is: an error naming its line, or U+FFFD."""
    rules: Literal[1, 2] = 2
    """1 keeps the rules of data sets prepared before these were counted."""

    @model_validator(mode="after")
    def _breaks_are_between_words(self) -> TokenizerParameters:
        if self.html_breaks and self.unit == "character":
            raise impossible("html_breaks is for words and subwords, not for unit: character")
        return self


class VocabularyParameters(Section):
    """Which types of the training split get an index of their own."""

    size: int | None = Field(default=None, ge=4)
    """Most types kept, special tokens included; null keeps all."""
    min_count: int = Field(default=1, ge=1)
    """Types seen less often in training become ``<unk>``."""


class SplitParameters(Section):
    """Shares taken from the training data for splits that have no file of their own."""

    validation: float = Field(default=0.1, gt=0, lt=1)
    test: float = Field(default=0.1, gt=0, lt=1)
    duplicates: Literal["anywhere", "together"] = "anywhere"
    """Where examples with the same text go: drawn one by one, or all to the same split."""


class DatasetSection(Section):
    """What every data set has, whatever its source."""

    tokenizer: TokenizerParameters = TokenizerParameters()
    vocabulary: VocabularyParameters = VocabularyParameters()
    split: SplitParameters = SplitParameters()
    seed: int = Field(default=1, ge=0)
    """Draws the split by ratio, and the sample of a built-in corpus."""
    licence: str = "not stated"
    citation: str = "not stated"


class Sizes(Section):
    """Sentences, reviews, lines or sequences a split of a built-in corpus has."""

    train: int = Field(gt=0)
    validation: int = Field(gt=0)
    test: int = Field(gt=0)


class GrammarDataset(DatasetSection):
    """A corpus written by the built-in probabilistic grammar; its optimum is known."""

    source: Literal["grammar"]
    corpus: Literal["reviews", "parts_of_speech", "entities", "text"]
    sizes: Sizes
    tokenizer: TokenizerParameters = TokenizerParameters(unit="whitespace", lowercase=False)

    @property
    def kind(self) -> Kind:
        kinds: dict[str, Kind] = {"reviews": "labelled", "text": "text"}
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


class MemoryDataset(DatasetSection):
    """Sequences that ask a network to remember (see :mod:`nlp_rnn.corpora.memory`)."""

    source: Literal["memory"]
    problem: Literal["store_bit", "adding", "copy", "columns"]
    steps: int = Field(gt=0)
    """Tokens between what must be remembered and where it is asked for."""
    sizes: Sizes
    tokenizer: TokenizerParameters = TokenizerParameters(unit="whitespace", lowercase=False)

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


LABELLED_FORMATS = ("csv", "tsv", "jsonl", "parquet", "folders")
TAGGED_FORMATS = ("conll", "conllu")

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
    if section.get("format") in LABELLED_FORMATS:
        return "labelled"
    return "tagged" if section.get("format") in TAGGED_FORMATS else "text"


class FilesDataset(DatasetSection):
    """The user's own files. Paths are relative to ``NLP_RNN_DATA`` (default ``data/raw``)."""

    source: Literal["files"]
    format: Literal["csv", "tsv", "jsonl", "parquet", "folders", "conll", "conllu", "text"]
    kind: Kind = Field(default_factory=_kind_of_format)
    """What the format holds; ``text`` reads the texts of ``folders`` without their labels, and
    those of ``unsup`` too."""
    train: str | list[str]
    """A list is read in order, as one."""
    validation: str | list[str] | None = None
    test: str | list[str] | None = None
    text_column: str | int = "text"
    """A name of the header; in ``csv`` and ``tsv`` also a number, counted from 0 (from the end
    when negative)."""
    label_column: str | int = "label"
    header: bool = True
    """``csv``, ``tsv``: whether the first row names the columns; if not, columns are numbers."""
    delimiter: str | None = None
    """``csv``, ``tsv``: what divides fields; null is a comma in ``csv``, a tab in ``tsv``."""
    quoting: Quoting | None = None
    """``csv``, ``tsv``: ``double`` reads fields in double quotes (RFC 4180), ``none`` takes a
    quotation mark as a character like any other; null is ``double`` in ``csv``, ``none`` in
    ``tsv``."""
    suffix: str | None = None
    """``folders``: how the names of texts end, such as ``.md``; null reads those that end in
    ``.txt`` (in any case) or have no suffix."""
    word_column: int = Field(default=0)
    """CoNLL: the column of the word, counted from 0 (from the end when negative)."""
    tag_column: int | Literal["upos", "xpos"] | None = None
    """CoNLL: the column of the tag, counted as ``word_column`` (default -1); CoNLL-U: upos or
    xpos (default upos)."""
    scheme: Scheme | Literal["auto"] | None = "auto"
    """CoNLL: how tags mark entities (see :mod:`nlp_rnn.corpora.schemes`), to keep them as BIO; auto
    recognises it in the tags of all splits, null says that tags are classes of words."""
    empty_words: Literal["error", "skip"] = "error"
    """CoNLL and CoNLL-U: what a line without a word is. The data card counts what is skipped."""

    @model_validator(mode="after")
    def _kind_fits_format(self) -> FilesDataset:
        kind = _kind_of_format({"format": self.format})
        if self.kind not in (kind, "text" if self.format == "folders" else kind):
            raise impossible(f"kind of format {self.format} is '{kind}', not '{self.kind}'")
        return self

    @model_validator(mode="after")
    def _something_to_read(self) -> FilesDataset:
        if [] in (self.train, self.validation, self.test):
            raise impossible("train, validation and test each name one file or folder, or several")
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
        for name in ("text_column", "label_column"):
            column = getattr(self, name)
            if isinstance(column, int) and not tables:
                raise impossible(f"{name} of format {self.format} is a name, not a number")
            if isinstance(column, str) and not self.header:
                raise impossible(
                    f"without a header, {name} is a number, counted from 0: set {name}: 0 or "
                    "another"
                )
        if self.format in LABELLED_FORMATS[:4] and self.text_column == self.label_column:
            raise impossible("text_column and label_column are the same column")
        if self.suffix is not None and self.format != "folders":
            raise impossible(f"suffix needs format folders, not {self.format}; leave it out")
        return self

    @model_validator(mode="after")
    def _columns_fit_format(self) -> FilesDataset:
        if self.format == "conllu" and isinstance(self.tag_column, int):
            raise impossible("tag_column of format conllu is 'upos' or 'xpos', not a number")
        if self.format == "conll" and isinstance(self.tag_column, str):
            raise impossible("tag_column of format conll is a column number, not a name")
        tag_column = -1 if self.tag_column is None else self.tag_column
        if self.format == "conll" and self.word_column == tag_column:
            raise impossible("word_column and tag_column are the same column")
        if self.tag_column is not None and self.format not in TAGGED_FORMATS:
            raise impossible(f"tag_column needs format conll or conllu, not {self.format}")
        if self.scheme not in (None, "auto") and self.format != "conll":
            raise impossible(f"scheme needs format conll, not {self.format}")
        if self.empty_words != "error" and self.format not in TAGGED_FORMATS:
            raise impossible(f"empty_words needs format conll or conllu, not {self.format}")
        return self


class TfdsDataset(DatasetSection):
    """A TensorFlow Datasets text data set by name, e.g. ``imdb_reviews``."""

    source: Literal["tfds"]
    name: str
    kind: Kind
    train: str = "train"
    """A TFDS split expression, e.g. ``train[:90%]``."""
    validation: str | None = None
    test: str | None = None
    text_feature: str = "text"
    label_feature: str = "label"
    tokens_feature: str = "tokens"
    tags_feature: str = "tags"
    scheme: Scheme | Literal["auto"] | None = "auto"
    """How the tags mark entities, as in :class:`FilesDataset`."""


AnyDataset = GrammarDataset | MemoryDataset | FilesDataset | TfdsDataset
Dataset = Annotated[AnyDataset, Field(discriminator="source")]

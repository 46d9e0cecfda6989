"""Corpora in the user's own files, on this machine or at addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, combinations
from pathlib import Path
from typing import Any, Literal

from nlp_rnn.config import FilesDataset
from nlp_rnn.config.data import PARALLEL, RECORD_FORMATS
from nlp_rnn.corpora.annotations import (
    AnnotatedText,
    brat,
    choices,
    doccano,
    label_studio,
    prodigy,
    webanno,
)
from nlp_rnn.corpora.conll import TaggedColumns, conllu_sentences, read_conllu
from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.corpora.dialects import Dialect
from nlp_rnn.corpora.fasttext import read_fasttext
from nlp_rnn.corpora.folders import (
    ARCHIVES,
    DEEPER,
    OTHER_SUFFIX,
    Selection,
    is_archive,
    read_archive,
    read_folder,
)
from nlp_rnn.corpora.labelling import Labelling
from nlp_rnn.corpora.lines import fingerprint, open_binary, read_lines
from nlp_rnn.corpora.pairs import PairColumns, read_parallel_pairs
from nlp_rnn.corpora.parallel import read_parallel, survey_tags
from nlp_rnn.corpora.propositions import read_propositions
from nlp_rnn.corpora.remote import is_address, local_copy
from nlp_rnn.corpora.schemes import TagSurvey
from nlp_rnn.corpora.settings import Setting, SettingError
from nlp_rnn.corpora.stories import read_babi
from nlp_rnn.corpora.strings import read_cmudict, read_sigmorphon
from nlp_rnn.corpora.tables import read_records, read_table
from nlp_rnn.corpora.token_lists import TokenLists
from nlp_rnn.corpora.trees import read_trees
from nlp_rnn.corpora.vectors import read_captions, with_vectors
from nlp_rnn.errors import UserError
from nlp_rnn.example import SPLITS, Example, Scheme
from nlp_rnn.files import sha256
from nlp_rnn.paths import located
from nlp_rnn.process import log

READERS: dict[str, Callable[..., Iterator[AnnotatedText]]] = {
    "prodigy": prodigy.read,
    "doccano": doccano.read,
    "label-studio": label_studio.read,
    "brat": brat.read,
    "webanno": webanno.read,
}
"""What reads each format of annotation tools."""


@dataclass(frozen=True)
class _Place:
    """The location of a split: a file or folder, or a folder inside an archive."""

    path: Path
    inside: str | None = None

    def __str__(self) -> str:
        return f"{self.path}!{self.inside}" if self.inside else str(self.path)


@dataclass(frozen=True)
class _Survey:
    """What reading a whole tagged data set reveals.

    Attributes:
        scheme: how its tags mark entities; None if they are classes of words.
        skipped: the number of lines without a word in each split.
    """

    scheme: Scheme | None
    skipped: dict[str, int]


class FilesCorpus(Corpus):
    """The splits of a data set of ``source: files``.

    Args:
        name: the name of the data set in ``params.yaml``.
        dataset: its parameters.
        folder: what its paths are relative to, and where copies of files at addresses are kept.
        refresh: whether to look for changes of files at addresses.

    Raises:
        UserError: a file is missing, empty or of the wrong kind, or is used for two splits.
    """

    def __init__(
        self, name: str, dataset: FilesDataset, folder: Path, refresh: bool = False
    ) -> None:
        self.name = name
        self.kind = dataset.kind
        self._dataset = dataset
        self._refresh = refresh
        self._places: dict[str, list[_Place]] = {}
        self._beside: dict[str, list[_Place]] = {}
        self._told: set[str] = set()
        for split in SPLITS:
            if given := self._given(split):
                self._places[split] = [self._locate(split, path, folder) for path in given]
            for beside in (f"{split}_{side}" for side in (*PARALLEL, "features")):
                if given := self._given(beside):
                    self._beside[beside] = [self._locate(beside, path, folder) for path in given]
        self._check_distinct()

    def _given(self, parameter: str) -> list[str]:
        """The paths that a parameter names, such as those of a split."""
        given: str | list[str] | None = getattr(self._dataset, parameter)
        return [given] if isinstance(given, str) else given or []

    @property
    def continuous(self) -> bool:
        return super().continuous and self._dataset.format != "folders"

    def splits(self) -> tuple[str, ...]:
        return tuple(self._places)

    def origin(self, split: str) -> str:
        return " and ".join(map(str, self._places[split]))

    def read(self, split: str) -> Iterator[Example]:
        if self._dataset.format == "folders":
            return self._read_folders(split)
        each = self._each_file(split)
        if vectors := self._beside.get(f"{split}_features"):
            each = (
                with_vectors(examples, place.path)
                for examples, place in zip(each, vectors, strict=True)
            )
        return self._not_empty(chain.from_iterable(each), split)

    def annotated(self, split: str) -> Iterator[AnnotatedText]:
        """Stream the texts of a split of a format of annotation tools, with their spans."""
        data = self._dataset
        layer = {"layer": data.layer} if data.format == "webanno" else {}
        unit = {} if data.offsets is None else {"unit": data.offsets}
        for place in self._places[split]:
            yield from READERS[data.format](
                place.path, data.tokenizer.bad_bytes, str(data.text_column), **unit, **layer
            )

    def _each_file(self, split: str) -> Iterator[Iterator[Example]]:
        """The examples of each file of a split."""
        if self._dataset.format != "parallel":
            yield from map(self._examples, self._places[split])
            return
        bad_bytes = self._dataset.tokenizer.bad_bytes
        for i, place in enumerate(self._places[split]):
            beside = {
                side: self._beside[f"{split}_{side}"][i].path for side in self._dataset.beside
            }
            if self.kind == "pairs":
                yield read_parallel_pairs(place.path, beside["target"], bad_bytes)
            else:
                yield read_parallel(
                    place.path,
                    bad_bytes,
                    **beside,
                    scheme=self._survey.scheme if "tags" in beside else None,
                )

    def _read_folders(self, split: str) -> Iterator[Example]:
        """The texts of a split; logs once which files were left out."""
        data = self._dataset
        selection = Selection(data.kind == "labelled", data.suffix)
        bad_bytes = data.tokenizer.bad_bytes
        empty = True
        for place in self._places[split]:
            for example in (
                read_folder(place.path, bad_bytes, selection)
                if place.inside is None
                else read_archive(place.path, place.inside, bad_bytes, selection)
            ):
                empty = False
                yield example
        left_out = selection.summary()
        if empty:
            remedy = "; files left out: " + left_out if left_out else ""
            if DEEPER in selection.left_out and place.inside is not None:
                remedy += "; name the folder that holds those of the labels, as ARCHIVE!FOLDER"
            if OTHER_SUFFIX in selection.left_out:
                how = ' to the ending of their names, or to "" for all files'
                raise SettingError(
                    self._no_example(split), remedy, "; set ", Setting("suffix"), how
                )
            raise UserError(self._no_example(split) + remedy)
        if left_out and split not in self._told:
            self._told.add(split)
            log(f"{self.origin(split)}: files left out: {left_out}")

    def provenance(self) -> dict[str, Any]:
        folders = self._dataset.format == "folders"
        by_parameter = self._places | self._beside
        paths = {
            given.partition("!")[0] if folders and is_archive(place.path) else given: place.path
            for parameter, places in by_parameter.items()
            for given, place in zip(self._given(parameter), places, strict=True)
        }
        return {
            "source": f"files ({self._dataset.format})",
            **self._reading(),
            "files": {name: fingerprint(path) for name, path in paths.items()},
            "licence": self._dataset.licence,
            "citation": self._dataset.citation,
        }

    def findings(self) -> dict[str, Any]:
        if self._dataset.format == "cmudict":
            return {"several_right": True}
        if self._dataset.format == "trees":
            left_out = {split: self._too_long(split) for split in self._places}
            return {"trees": True, "too_many_words": left_out}
        if self.kind == "roles":
            return {"entities": True}
        if self.kind not in ("tagged", "joint"):
            return {}
        data, survey = self._dataset, self._survey
        found: dict[str, Any] = {"entities": survey.scheme is not None, "scheme": survey.scheme}
        if data.has_tag_schemes:
            found["scheme_recognised"] = data.scheme == "auto"
        if data.empty_words == "skip":
            found["empty_words_skipped"] = survey.skipped
        return found

    def _too_long(self, split: str) -> int:
        """How many sentences of a split have more than ``most_words``."""
        if self._dataset.most_words is None:
            return 0
        bad_bytes = self._dataset.tokenizer.bad_bytes
        trees = (read_trees(place.path, bad_bytes) for place in self._places[split])
        return sum(not self._short(example) for example in chain.from_iterable(trees))

    def _short(self, example: Example) -> bool:
        most = self._dataset.most_words
        return most is None or len(example.tags) <= most

    @property
    def _labelling(self) -> Labelling:
        data = self._dataset
        columns = data.label_columns or ()
        return Labelling(data.label_column, data.label_separator, columns, data.split.groups)

    @property
    def _columns(self) -> TaggedColumns:
        data = self._dataset
        tag_column = data.tag_column if isinstance(data.tag_column, int) else -1
        bad_bytes = data.tokenizer.bad_bytes
        return TaggedColumns(data.word_column, tag_column, data.empty_words, bad_bytes)

    @property
    def _token_lists(self) -> TokenLists:
        data = self._dataset
        columns = (str(data.text_column), str(data.tag_column))
        return TokenLists(*columns, data.format, data.tokenizer.bad_bytes)

    @cached_property
    def _survey(self) -> _Survey:
        """Reads all splits of tagged data once if the parameters leave something open."""
        data, tags = self._dataset, TagSurvey()
        given = data.scheme if data.has_tag_schemes else None
        if given != "auto" and data.empty_words == "error":
            return _Survey(given, {})
        if data.format == "parallel":
            for split in self._places:
                for place in self._beside[f"{split}_tags"]:
                    survey_tags(place.path, data.tokenizer.bad_bytes, tags)
            return _Survey(tags.scheme(), {})
        skipped = {
            split: sum(self._empty_words(place.path, tags) for place in places)
            for split, places in self._places.items()
        }
        return _Survey(tags.scheme() if given == "auto" else given, skipped)

    def _empty_words(self, path: Path, tags: TagSurvey) -> int:
        if self._dataset.format == "conll":
            return self._columns.survey(path, tags)
        if self._dataset.format in RECORD_FORMATS:
            self._token_lists.survey(path, tags)
            return 0
        sentences = conllu_sentences(path, self._dataset.tokenizer.bad_bytes)
        return sum(len(sentence.empty) for sentence in sentences)

    def _reading(self) -> dict[str, Any]:
        """How tables and columns were read: the defaults for predictions on such files."""
        data = self._dataset
        if data.format in ("jsonl", "parquet", "prodigy", "doccano", "label-studio"):
            return {"reading": {"format": data.format, "text_column": data.text_column}}
        if data.format in ("csv", "tsv"):
            names = ("format", "text_column", "header", "delimiter", "quoting")
            return {"reading": {name: getattr(data, name) for name in names}}
        if data.format in ("conll", "propbank"):
            return {"reading": {"format": "conll", "word_column": data.word_column}}
        return {}

    def _examples(self, place: _Place) -> Iterator[Example]:
        data = self._dataset
        bad_bytes = data.tokenizer.bad_bytes
        path = place.path
        if data.target_column is not None:
            return self._pairs(path, data.target_column)
        match data.format:
            case "csv" | "tsv":
                dialect = Dialect.of(data.format, data.delimiter, data.quoting, data.header)
                return read_table(path, data.text_column, self._labelling, dialect, bad_bytes)
            case "jsonl" | "parquet" if data.kind == "tagged":
                return self._token_lists.read(path, self._survey.scheme)
            case "jsonl" | "parquet":
                text, labelling = str(data.text_column), self._labelling
                return read_records(path, data.format, text, labelling, bad_bytes)
            case "fasttext":
                return read_fasttext(path, bad_bytes)
            case "folders" | "parallel":
                raise AssertionError(f"{data.format} is not read file by file")
            case "captions":
                return read_captions(path, bad_bytes)
            case "babi":
                return read_babi(path, bad_bytes)
            case "sigmorphon":
                return read_sigmorphon(path, bad_bytes)
            case "cmudict":
                return read_cmudict(path, data.pronunciations, bad_bytes)
            case "trees":
                return filter(self._short, read_trees(path, bad_bytes))
            case "conll":
                return self._columns.read(path, self._survey.scheme)
            case "propbank":
                return read_propositions(path, data.word_column, data.frame_column, bad_bytes)
            case "conllu":
                tag: Literal["upos", "xpos"] = "xpos" if data.tag_column == "xpos" else "upos"
                return read_conllu(path, tag, data.empty_words, bad_bytes)
            case "prodigy" | "doccano" | "label-studio" if data.kind == "labelled":
                found = self._chosen(path)
                return (choices.example(each, self._several_chosen) for each in found)
            case "prodigy" | "doccano" | "label-studio" | "brat" | "webanno":
                raise AssertionError(f"{data.format} becomes tagged in nlp_rnn.text.annotated")
            case "text":
                return (Example(text=line) for line in read_lines(path, bad_bytes))

    def _chosen(self, path: Path) -> Iterator[choices.LabelledText]:
        """The texts of a format of annotation tools, each with the labels of the whole text."""
        data = self._dataset
        bad_bytes = data.tokenizer.bad_bytes
        return choices.read(data.format, path, bad_bytes, str(data.text_column), data.question)

    @cached_property
    def _several_chosen(self) -> bool:
        """Whether a text of any split has several labels, so that each has any number."""
        files = (place.path for places in self._places.values() for place in places)
        return any(len(each.labels) > 1 for path in files for each in self._chosen(path))

    def _pairs(self, path: Path, target: str | int) -> Iterator[Example]:
        """The pairs of a table."""
        data, bad_bytes = self._dataset, self._dataset.tokenizer.bad_bytes
        columns = PairColumns(data.text_column, target, data.context_columns)
        if data.format in RECORD_FORMATS:
            return columns.read_records(path, data.format, bad_bytes)
        dialect = Dialect.of(
            "csv" if data.format == "csv" else "tsv", data.delimiter, data.quoting, data.header
        )
        return columns.read_table(path, dialect, bad_bytes)

    def _locate(self, name: str, given: str, folder: Path) -> _Place:
        parameter = f"parameter {name} of data set '{self.name}'"
        wants_folder = self._dataset.format == "folders"
        address, inside = given, None
        if wants_folder:
            archive, bang, rest = given.partition("!")
            if bang or is_archive(Path(archive)):
                address, inside = archive, rest
        path = located(address, folder)
        if is_address(address):
            path = local_copy(address, folder, parameter, self._refresh)
        place = _Place(path, inside)
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise UserError(
                f"{path}: no such file or folder ({parameter}); put it there, or set the "
                f"environment variable NLP_RNN_DATA to the folder that holds {given} "
                f"(now {folder})"
            ) from None
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: cannot be read ({parameter}): {error}") from None
        if wants_folder and place.inside is None:
            if not path.is_dir():
                raise UserError(
                    f"{path}: is a file ({parameter}); format folders needs a folder or an "
                    f"archive ({', '.join(ARCHIVES)})"
                )
            return place
        if self._dataset.format == "brat":
            if not path.is_dir():
                raise UserError(
                    f"{path}: is a file ({parameter}); format brat needs a folder of .txt and .ann"
                )
            return place
        if path.is_dir():
            raise UserError(
                f"{path}: is a folder ({parameter}); "
                f"{'an archive' if wants_folder else f'format {self._dataset.format}'} is one file"
            )
        with open_binary(path) as stream:
            if not stream.read(1):
                raise UserError(f"{path}: is empty ({parameter})")
        return place

    def _check_distinct(self) -> None:
        each = [(split, place) for split, places in self._places.items() for place in places]
        for (first, one), (second, other) in combinations(each, 2):
            if _same(one, other) and first == second:
                raise UserError(f"{one}: is listed twice in {first} of data set '{self.name}'")
            if _same(one, other):
                raise UserError(
                    f"{one}: is used for both {first} and {second} of data set '{self.name}'; give "
                    f"{second} its own data, or omit {second} to take a share of train"
                )


def _same(one: _Place, other: _Place) -> bool:
    """Whether two places hold the same data: one file under two names, or a copy of it."""
    if one.inside is not None or other.inside is not None or one.path.is_dir():
        return one.path.resolve() == other.path.resolve() and _parts(one) == _parts(other)
    if one.path.samefile(other.path):
        return True
    same_size = one.path.stat().st_size == other.path.stat().st_size
    return same_size and sha256(one.path) == sha256(other.path)


def _parts(place: _Place) -> list[str]:
    return [part for part in (place.inside or "").split("/") if part not in ("", ".")]

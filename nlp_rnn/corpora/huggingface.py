"""Text data sets of the Hugging Face hub, and folders that are laid out like them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nlp_rnn.config import HuggingFaceDataset, nearest
from nlp_rnn.corpora.hub import explained, open_dataset
from nlp_rnn.corpora.labelling import label_of
from nlp_rnn.corpora.records import RecordCorpus, given
from nlp_rnn.corpora.tables import clean, text_of
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example, Kind
from nlp_rnn.extras import require

_COLUMNS: dict[Kind, tuple[str, ...]] = {
    "labelled": ("text_column", "label_column"),
    "tagged": ("tokens_column", "tags_column"),
    "text": ("text_column",),
}
"""The parameters that name the columns of each kind."""


class HuggingFaceCorpus(RecordCorpus):
    """The splits of a data set of ``source: huggingface``, downloaded where need be.

    Args:
        name: what the data set is called in ``params.yaml``.
        dataset: its parameters.
        folder: the data folder; what is downloaded is kept in its ``huggingface``.

    Raises:
        UserError: the library is not installed; the data set, or its revision, configuration, split
            or column is not there; or it cannot be downloaded.
    """

    def __init__(self, name: str, dataset: HuggingFaceDataset, folder: Path) -> None:
        require("datasets", "huggingface", f"data set '{name}': source: huggingface")
        super().__init__(name, dataset, str(dataset.name or folder / str(dataset.path)))
        self._dataset = dataset
        self._opened = open_dataset(name, dataset, folder)
        self._columns = tuple(getattr(dataset, column) for column in _COLUMNS[self.kind])
        self._check_splits()
        self._check_columns()
        self._classes = self._class_names()

    def origin(self, split: str) -> str:
        configuration = self._dataset.configuration
        part = f", configuration {configuration}" if configuration else ""
        return f"{self._known_as}{part}, split {self._names_there[split]}"

    def provenance(self) -> dict[str, Any]:
        data, opened = self._dataset, self._opened
        where = {
            "configuration": data.configuration,
            "revision": data.revision,
            "commit": opened.commit,
        }
        return {
            "source": f"Hugging Face {data.name or data.path}",
            **{key: value for key, value in where.items() if value is not None},
            "splits": dict(self._names_there),
            "files": opened.fingerprints(),
            "licence": given(data.licence, opened.licence),
            "citation": given(data.citation, opened.citation),
        }

    def _records(self, split: str) -> Iterator[Mapping[str, Any]]:
        records = self._opened.splits[self._names_there[split]]
        with explained(self.name, self.origin(split)):
            yield from records.select_columns(list(self._columns))

    def _labelled(self, record: Mapping[str, Any], where: str) -> Example:
        _, column = self._columns
        text, value = self._text(record, where), record[column]
        if isinstance(value, list):
            names = (self._name(column, item, where) for item in value)
            return Example(text=text, labels=tuple(dict.fromkeys(names)))
        return Example(text=text, label=self._name(column, value, where))

    def _text(self, record: Mapping[str, Any], where: str) -> str:
        column = self._columns[0]
        return self._clean(text_of(record[column], where, column), where, column)

    def _words_and_tags(self, record: Mapping[str, Any], where: str) -> tuple[list[str], list[str]]:
        tokens, tags = self._columns
        for column in self._columns:
            if not isinstance(record[column], list):
                raise UserError(
                    f"{where}: column '{column}': expected a list, found "
                    f"{type(record[column]).__name__}; choose another column for data set "
                    f"'{self.name}'"
                )
        if len(record[tokens]) != len(record[tags]):
            raise UserError(
                f"{where}: has {len(record[tokens])} {tokens} and {len(record[tags])} {tags}"
            )
        return (
            [self._clean(text_of(word, where, tokens), where, tokens) for word in record[tokens]],
            [self._name(tags, tag, where) for tag in record[tags]],
        )

    def _clean(self, text: str, where: str, column: str) -> str:
        return clean(text, self._dataset.tokenizer.bad_bytes, where, column)

    def _name(self, column: str, value: object, where: str) -> str:
        """A label or tag as text: the number of a class by its name, others as written."""
        classes = self._classes.get(column)
        if classes is None or not isinstance(value, int):
            return self._clean(label_of(value, where, column), where, column)
        if not 0 <= value < len(classes):
            raise UserError(
                f"{where}: column '{column}': has no label ({value}); choose a labelled split for "
                f"data set '{self.name}'"
            )
        return classes[value]

    def _check_splits(self) -> None:
        for split, there in self._names_there.items():
            if there not in self._opened.splits:
                raise UserError(
                    f"data set '{self.name}': {self._known_as} has no split '{there}' ({split}); "
                    f"{nearest(there, self._opened.splits)}"
                )

    def _check_columns(self) -> None:
        available = self._opened.features
        if available is None:  # as of CSV and JSON, whose records alone tell
            records = self._opened.splits[self._names_there["train"]]
            with explained(self.name, self.origin("train")):
                available = next(iter(records), {})
        for parameter, column in zip(_COLUMNS[self.kind], self._columns, strict=True):
            if column not in available:
                raise UserError(
                    f"data set '{self.name}': {self._known_as} has no column '{column}' "
                    f"({parameter}); {nearest(column, available)}"
                )

    def _class_names(self) -> dict[str, list[str]]:
        """The names of the classes of each column that has classes, or lists of them."""
        features = self._opened.features or {}
        elements = {
            column: getattr(features[column], "feature", features[column])
            for column in self._columns
            if column in features
        }
        return {
            column: list(element.names)
            for column, element in elements.items()
            if hasattr(element, "names")
        }

"""What a worker of any engine does: an Arrow batch of rows becomes an Arrow batch of predictions.

A row that the model cannot read never ends the job. It is *rejected*: its reason goes to the column
:data:`REJECTED`, and all its other columns are null. The result depends on the batch alone, so an
engine may repeat a batch whose worker died.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nlp_rnn.corpora.lines import BadBytes, decode
from nlp_rnn.corpora.settings import options_named
from nlp_rnn.corpora.tables import decoded, json_object, raw_values
from nlp_rnn.errors import UserError
from nlp_rnn.inference.inputs import ArrowChunk, Chunk, JsonChunk, item_of, item_of_record
from nlp_rnn.inference.items import Item, as_text
from nlp_rnn.inference.outputs import json_line, record_batch, to_json
from nlp_rnn.inference.predictor import Options, Prediction, Predictor, check_items
from nlp_rnn.limits import TEXT_BYTES
from nlp_rnn.runtime.bundle import Bundle

if TYPE_CHECKING:
    import pyarrow as pa

Format = Literal["jsonl", "parquet"]

LINE = "_nlp_rnn_line"
"""The column of a batch of JSON Lines: the raw bytes of each line."""

NUMBER = "_nlp_rnn_number"
"""The column of the number that an engine gives a row, unique in one run."""

WRONG_FIELDS = "_nlp_rnn_wrong_fields"
"""The column of a line of CSV whose fields are more or fewer than those of the header."""

REJECTED = "_rejected"
"""The column of the results that says why a row was rejected, and the folder of these reasons."""

ROW_ID = "row_id"
"""The id of a row where the user names no column with one."""

RECORD = "record"
"""The line of JSON that a row of Parquet comes from."""

SHOWN = 200
"""The number of characters of a rejected row that its reason shows."""


@dataclass(frozen=True)
class Work:
    """What is to be done with every batch; it is sent to the workers.

    Attributes:
        text_column: the column of the text.
        id_column: the column of the id; None takes the engine's number of the row.
        format: of the results: whole lines of JSON, or columns.
        options: the prediction options.
        bad_bytes: how to treat undecodable UTF-8.
    """

    text_column: str
    id_column: str | None
    format: Format
    options: Options
    bad_bytes: BadBytes

    @property
    def id_name(self) -> str:
        """The name of the id in the output."""
        return self.id_column or ROW_ID


@lru_cache(maxsize=1)
def worker_predictor(bundle: Path, options: Options, run: str = "") -> Predictor:
    """The predictor of a worker: one session with one thread, kept for all batches of a run.

    An engine starts a worker for each core, so more threads would only wait for one another.

    Args:
        run: another text for each run whose workers outlive it: the bundle may have changed.
    """
    opened = Bundle.open(bundle)
    return Predictor.of(opened, options, opened.network(threads=1))


def predict_batch(
    predictor: Predictor, work: Work, batch: pa.RecordBatch
) -> Iterator[pa.RecordBatch]:
    """Predict for a batch; texts are sorted by length inside, and put back into their order.

    Args:
        batch: the columns of the input, or :data:`LINE`; and :data:`NUMBER` without an id column.

    Yields:
        The predictions, in order, then the rejected rows, if any, all with the same columns.
    """
    rows = (
        _Lines(batch, work, predictor)
        if LINE in batch.schema.names
        else _Table(batch, work, predictor)
    )
    predictions = list(rows.predictions())
    kept = rows.results(predictions)
    yield kept
    if rows.reasons:
        yield _rejections(kept.schema, rows.reasons)


def output_schema(predictor: Predictor, work: Work, of_input: pa.Schema) -> pa.Schema:
    """The columns of what :func:`predict_batch` yields."""
    import pyarrow as pa

    (empty,) = predict_batch(predictor, work, pa.RecordBatch.from_pylist([], of_input))
    return empty.schema


class _Rows:
    """The rows of a batch: those that the model can read, and why it cannot read the others.

    Attributes:
        good: the positions of the rows that the model can read.
        items: their texts.
        reasons: a line of JSON for each other row.
    """

    def __init__(self, batch: pa.RecordBatch, work: Work, predictor: Predictor) -> None:
        self.batch = batch
        self.work = work
        self.predictor = predictor
        self.good: list[int] = []
        self.items: list[Item] = []
        self.reasons: list[str] = []
        self.numbers = _column(batch, NUMBER)
        for position in range(batch.num_rows):
            try:
                with options_named():
                    item = self.read(position)
                    check_items(predictor.bundle, work.options, [item])
            except UserError as error:
                self.reject(position, error)
            else:
                self.good.append(position)
                self.items.append(item)

    def read(self, position: int) -> Item:
        """The text of a row; raises UserError where there is none."""
        raise NotImplementedError

    def id_of(self, position: int) -> Any:
        """The id of a row; None where it has none."""
        raise NotImplementedError

    def shown(self, position: int) -> str | None:
        """A rejected row, for a person who looks for it."""
        raise NotImplementedError

    def where(self, position: int) -> str:
        """The name of a row in messages."""
        return f"{self.work.id_name} {self.id_of(position)}"

    def reject(self, position: int, reason: UserError) -> None:
        """Note why nothing can be predicted for a row."""
        row = {self.work.id_name: self.id_of(position), "reason": str(reason)}
        shown = self.shown(position)
        self.reasons.append(to_json(row | {"input": None if shown is None else shown[:SHOWN]}))

    def predictions(self) -> Iterator[Prediction]:
        """The prediction of each row that the model can read.

        Where the texts cannot be predicted together, each is predicted alone, and one that cannot
        be is rejected.
        """
        try:
            found = list(self.predictor.predict(self.items))
        except UserError:
            found = list(self._alone())
        for position, prediction in zip(self.good, found, strict=True):
            number = {} if self.work.id_column else {ROW_ID: self.numbers[position]}
            yield number | prediction

    def _alone(self) -> Iterator[Prediction]:
        good, items = self.good, self.items
        self.good, self.items = [], []
        for position, item in zip(good, items, strict=True):
            try:
                yield from self.predictor.predict([item])
            except UserError as error:
                self.reject(position, error)
            else:
                self.good.append(position)
                self.items.append(item)

    def results(self, predictions: Iterable[Prediction]) -> pa.RecordBatch:
        """The rows with their predictions, as they will be written."""
        import pyarrow as pa

        if self.work.format == "jsonl":
            chunk = self.chunk()
            lines = [json_line(*pair) for pair in zip(chunk.rows(), predictions, strict=True)]
            found = pa.RecordBatch.from_pydict({"line": pa.array(lines, pa.string())})
        else:
            number = {} if self.work.id_column else {ROW_ID: int}
            columns = {**number, **self.predictor.columns}
            found = record_batch(self.kept(), predictions, columns)
        return found.append_column(REJECTED, pa.nulls(found.num_rows, pa.string()))

    def chunk(self) -> Chunk:
        """The rows with a text, for lines of JSON."""
        raise NotImplementedError

    def kept(self) -> dict[str, pa.Array]:
        """The columns of the rows with a text, for Parquet."""
        raise NotImplementedError


class _Table(_Rows):
    """Rows of a table."""

    def __init__(self, batch: pa.RecordBatch, work: Work, predictor: Predictor) -> None:
        self._values = raw_values(batch.column(work.text_column))
        self._ids = _column(batch, work.id_column or NUMBER)
        self._wrong = _column(batch, WRONG_FIELDS)
        super().__init__(batch, work, predictor)

    def read(self, position: int) -> Item:
        if self._wrong[position] is not None:
            raise UserError(
                f"{self.where(position)}: expected as many fields as the header has; put a field "
                "with a delimiter in quotes"
            )
        if self._ids[position] is None:
            raise UserError(f"column '{self.work.id_column}': expected an id, found null")
        value = decoded(self._values[position], self.work.bad_bytes, self.where(position))
        return item_of(value, self.where(position), self.work.text_column)

    def id_of(self, position: int) -> Any:
        return self._ids[position]

    def shown(self, position: int) -> str | None:
        for value in (self._wrong[position], self._values[position]):
            if value is not None:
                return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        return None

    def _good(self) -> pa.RecordBatch:
        beside = {NUMBER, WRONG_FIELDS}
        names = [name for name in self.batch.schema.names if name not in beside]
        return self.batch.select(names).take(_positions(self.good))

    def chunk(self) -> Chunk:
        name = self.work.text_column
        return ArrowChunk(self.items, self._good(), name, "the rows of a batch")

    def kept(self) -> dict[str, pa.Array]:
        import pyarrow as pa

        batch, name = self._good(), self.work.text_column
        of_words = pa.types.is_list(batch.schema.field(name).type)
        text_type = pa.list_(pa.string()) if of_words else pa.string()
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        return columns | {name: pa.array(self.items, text_type)}


class _Lines(_Rows):
    """Lines of JSON; they need not have the same keys."""

    def __init__(self, batch: pa.RecordBatch, work: Work, predictor: Predictor) -> None:
        self._lines: list[bytes] = _column(batch, LINE)
        self._records: dict[int, dict[str, Any]] = {}
        super().__init__(batch, work, predictor)

    def read(self, position: int) -> Item:
        raw, name = self._lines[position], self.work.id_column
        number = "a line" if name else f"{ROW_ID} {self.numbers[position]}"
        TEXT_BYTES.check(len(raw), number)
        record = json_object(decode(raw, self.work.bad_bytes, number), number)
        self._records[position] = record
        if name and record.get(name) is None:
            raise UserError(f"{number}: no key '{name}' (--id-column)")
        where, column = self.where(position), self.work.text_column
        record[column] = item_of_record(record, column, where, self.work.bad_bytes)
        return record[column]

    def id_of(self, position: int) -> Any:
        name = self.work.id_column
        return self._records.get(position, {}).get(name) if name else self.numbers[position]

    def shown(self, position: int) -> str | None:
        return self._lines[position].decode("utf-8", "replace")

    def chunk(self) -> Chunk:
        return JsonChunk(self.items, [self._records[position] for position in self.good])

    def kept(self) -> dict[str, pa.Array]:
        import pyarrow as pa

        name = self.work.id_column
        ids = {name: [str(self.id_of(position)) for position in self.good]} if name else {}
        texts = {self.work.text_column: list(map(as_text, self.items))}
        records = {RECORD: [to_json(self._records[position]) for position in self.good]}
        columns = ids | texts | records
        return {column: pa.array(values, pa.string()) for column, values in columns.items()}


def _column(batch: pa.RecordBatch, name: str) -> list[Any]:
    """The values of a column; nulls where there is none."""
    there = name in batch.schema.names
    return list(batch.column(name).to_pylist()) if there else [None] * batch.num_rows


def _positions(positions: list[int]) -> pa.Array:
    import pyarrow as pa

    return pa.array(positions, pa.int64())


def _rejections(columns: pa.Schema, reasons: list[str]) -> pa.RecordBatch:
    import pyarrow as pa

    arrays = [
        pa.array(reasons) if field.name == REJECTED else pa.nulls(len(reasons), field.type)
        for field in columns
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=columns)


def split(batch: pa.RecordBatch | pa.Table) -> tuple[pa.Table, list[str]]:
    """The predictions of what :func:`predict_batch` yielded, and the reasons of rejected rows."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])
    reasons = table.column(REJECTED)
    kept = table.filter(pc.is_null(reasons)).drop_columns(REJECTED)
    return kept, reasons.drop_null().to_pylist()

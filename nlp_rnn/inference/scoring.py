"""Score texts with a language model, token by token, or rank them by likelihood."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any, Literal, TextIO

import numpy as np

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.corpora.dialects import Dialect
from nlp_rnn.errors import UserError
from nlp_rnn.inference import schema
from nlp_rnn.inference.batch import open_all, output_dialect, predict_all, read_once
from nlp_rnn.inference.inputs import STREAM, Chunk, Columns, JsonChunk
from nlp_rnn.inference.items import CHUNK, as_text
from nlp_rnn.inference.outputs import Writer, open_writer, opened_text, to_json
from nlp_rnn.inference.predictor import LanguageModelPredictor, Prediction
from nlp_rnn.inference.reading import AS_TRAINED, Reading
from nlp_rnn.process import log, terminable
from nlp_rnn.runtime.forward import of_lines, over_windows
from nlp_rnn.runtime.network import Network, States
from nlp_rnn.text.batches import Batch
from nlp_rnn.text.vocabulary import UNK, UNK_INDEX

ROWS = 8192
"""The number of token rows written at a time."""

By = Literal["total", "mean"]
"""The ranking criterion: ``ln P`` of the whole text, or its mean over the tokens."""


# --- token by token -----------------------------------------------------------------


def losses_and_ranks(
    network: Network, windows: Iterable[Batch], start: Sequence[Floats] | None = None
) -> Iterator[Floats]:
    """``-ln P`` (nats) and rank of each target of some windows.

    Args:
        windows: the windows; the first starts the texts, and the state is carried to the next.
        start: the states before the first, each ``(width,)``; zeros by default.

    Yields:
        ``(rows, width, 2)``. The rank is 1 plus the number of more likely types.
    """

    def run(batch: Batch, states: States) -> tuple[Floats, States]:
        return network.log_probabilities(batch.ids, states)

    for batch, found in over_windows(network, windows, run, start):
        right = np.take_along_axis(found, batch.targets[..., None], axis=-1)
        losses = -right[..., 0].astype(np.float64)
        yield np.stack([losses, 1 + (found > right).sum(axis=-1)], axis=-1)


class TokenScorer(LanguageModelPredictor):
    """``tokens`` of each text including its end symbol, their ``log_probabilities`` (nats),
    ``ranks`` and whether they are ``unknown``, that is, scored as ``<unk>``."""

    @property
    def columns(self) -> schema.Columns:
        return schema.TOKEN_SCORES

    def _scores(self, lines: Sequence[Ints]) -> Iterable[Floats]:
        return of_lines(
            self.network,
            lines,
            self.bundle.vocabulary.end_index,
            len(self.bundle.vocabulary),
            self.options.batch_size,
            lambda windows: list(losses_and_ranks(self.network, windows, self.start)),
        )

    def _prediction(self, tokens: Sequence[str], ids: Ints, scores: Floats) -> Prediction:
        return {
            "tokens": tokens,
            "log_probabilities": (-scores[:, 0]).tolist(),
            "ranks": scores[:, 1].astype(int).tolist(),
            "unknown": (ids == UNK_INDEX).tolist(),
        }


@dataclass(frozen=True)
class _TokenChunk(Chunk):
    """Rows of tokens, which have no input columns."""

    items: Sequence[str]

    def rows(self) -> Iterable[Mapping[str, Any]]:
        return ({} for _ in self.items)

    def columns(self) -> Columns:
        return {}


class _TokenTable(Writer):
    """Writes the predictions of :class:`TokenScorer` as a table with a row per token.

    Attributes:
        tokens, unknown: the rows so far, and those of ``<unk>``. log_probability: the sum over
        them.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._numbers = count(1)
        self.tokens = self.unknown = 0
        self.log_probability = 0.0

    def write(self, chunk: Chunk, predictions: Iterable[Prediction]) -> None:
        rows = (row for prediction in predictions for row in self._rows(prediction))
        while some := list(islice(rows, ROWS)):
            self._writer.write(_TokenChunk([row["token"] for row in some]), some)

    def _rows(self, prediction: Prediction) -> Iterator[Prediction]:
        text = next(self._numbers)
        self.tokens += len(prediction["tokens"])
        self.unknown += sum(prediction["unknown"])
        self.log_probability += math.fsum(prediction["log_probabilities"])
        for position, (token, log_p, rank, unknown) in enumerate(
            zip(*prediction.values(), strict=True), 1
        ):
            yield {
                "text": text,
                "position": position,
                "token": token,
                "log_probability": log_p,
                "bits": -log_p / math.log(2),
                "rank": rank,
                "unknown": unknown,
            }


def score_file(
    bundle_folder: Path,
    input: str,
    output: str,
    reading: Reading = AS_TRAINED,
    spreadsheet_safe: bool = False,
) -> None:
    """Write the probability of every token of every text of ``input``, one row per token.

    Arguments and errors are those of :func:`~nlp_rnn.inference.batch.predict_file`.

    Raises:
        UserError: also if the bundle is not a language model.
    """
    bundle, source, format = open_all(bundle_folder, input, output, reading)
    bundle.require_language_model("know how likely a text is")
    dialect = output_dialect(source, format, spreadsheet_safe)
    known = read_once(source, False, output, format)
    scorer = TokenScorer(bundle)
    with (
        terminable(),
        open_writer(output, format, {}, schema.SCORED_TOKEN, dialect) as writer,
    ):
        table = _TokenTable(writer)
        texts = predict_all(scorer, source, table, known.texts)
    perplexity = math.exp(min(-table.log_probability / table.tokens, 700))
    log(
        f"{texts:,} text{'' if texts == 1 else 's'}, {table.tokens:,} tokens with the end symbols, "
        f"{table.unknown / table.tokens:.2%} scored as {UNK}: perplexity {perplexity:.2f}"
    )


# --- ranking ------------------------------------------------------------------------


class Candidates(LanguageModelPredictor):
    """A language model's scores of each text, and its ``unknown`` words, scored as ``<unk>``."""

    @property
    def columns(self) -> schema.Columns:
        return schema.CANDIDATE

    def _prediction(self, tokens: Sequence[str], ids: Ints, losses: Floats) -> Prediction:
        unknown = [token for token, i in zip(tokens, ids, strict=True) if i == UNK_INDEX]
        return super()._prediction(tokens, ids, losses) | {"unknown": unknown}


def score_of(prediction: Prediction, by: By) -> float:
    """The score by which a text is ranked; minus infinity if it has no tokens.

    An end symbol alone cannot be compared with a text.
    """
    if prediction["tokens"] == 1:
        return -math.inf
    divisor = prediction["tokens"] if by == "mean" else 1
    return float(prediction["log_probability"] / divisor)


class _Ranking(Writer):
    """Collects texts in a temporary database, which sorts them on disk if there are many.

    Attributes:
        unknown: the number of texts so far with a word that is scored as ``<unk>``.
        blank: the number of texts without a token.
    """

    def __init__(self, database: sqlite3.Connection, by: By) -> None:
        self._database = database
        self._by = by
        self.unknown = self.blank = 0
        database.execute("CREATE TABLE texts (score REAL, record BLOB)")

    def write(self, chunk: Chunk, predictions: Iterable[Prediction]) -> None:
        rows = zip(chunk.rows(), chunk.items, predictions, strict=True)
        self._database.executemany(
            "INSERT INTO texts VALUES (?, ?)",
            (
                (self._score(found), _packed([row, as_text(item), found]))
                for row, item, found in rows
            ),
        )

    def _score(self, prediction: Prediction) -> float:
        score = score_of(prediction, self._by)
        self.unknown += bool(prediction["unknown"])
        self.blank += score == -math.inf
        return score

    def write_to(self, writer: Writer) -> None:
        """Write all texts, most likely first; ties keep their input order."""
        sorted_ = self._database.execute("SELECT record FROM texts ORDER BY score DESC, rowid")
        numbers = count(1)
        while some := [_unpacked(record) for (record,) in sorted_.fetchmany(CHUNK)]:
            rows, texts, found = zip(*some, strict=True)
            ranked = ({"rank": next(numbers), **prediction} for prediction in found)
            writer.write(JsonChunk(texts, rows), ranked)


def _packed(value: Any) -> bytes:
    return to_json(value).encode("utf-8", "surrogatepass")


def _unpacked(record: bytes) -> Any:
    return json.loads(record.decode("utf-8", "surrogatepass"))


class _TextWriter(Writer):
    """One text per line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, chunk: Chunk, predictions: Iterable[Prediction]) -> None:
        line_ends = str.maketrans("\r\n", "  ")
        self._stream.writelines(as_text(item).translate(line_ends) + "\n" for item in chunk.items)


@contextmanager
def _open_ranked(
    output: str,
    format: str,
    columns: Columns,
    predicted: schema.Columns,
    dialect: Dialect | None,
) -> Iterator[Writer]:
    """Like :func:`~nlp_rnn.inference.outputs.open_writer`, but plain text holds the texts."""
    if format != ".txt":
        with open_writer(output, format, columns, predicted, dialect) as writer:
            yield writer
        return
    with opened_text(output) as stream:
        yield _TextWriter(stream)


def rank_file(
    bundle_folder: Path,
    input: str,
    output: str,
    reading: Reading = AS_TRAINED,
    by: By = "total",
    spreadsheet_safe: bool = False,
) -> None:
    """Write the texts of ``input`` from the most to the least likely, blank ones last.

    The other arguments and errors are those of :func:`~nlp_rnn.inference.batch.predict_file`.

    Raises:
        UserError: also if the bundle is not a language model, or all texts are blank.
    """
    bundle, source, format = open_all(bundle_folder, input, output, reading)
    bundle.require_language_model("know how likely a text is")
    dialect = output_dialect(source, format, spreadsheet_safe)
    known = read_once(source, format != ".txt", output, format)
    predictor = Candidates(bundle)
    ranked: schema.Columns = {"rank": int, **predictor.columns}
    # A database without a name is stored in a temporary file that nobody else can open.
    with (
        terminable(),
        closing(sqlite3.connect("")) as database,
        _open_ranked(output, format, known.columns, ranked, dialect) as writer,
    ):
        ranking = _Ranking(database, by)
        texts = predict_all(predictor, source, ranking, known.texts)
        if ranking.blank == texts:
            raise UserError(
                f"{'standard input' if input == STREAM else input}: holds only blank texts, which "
                "cannot be ranked; give texts with a word or more"
            )
        ranking.write_to(writer)
    log(f"{texts:,} text{'' if texts == 1 else 's'} ranked by {by} log-probability")
    if ranking.blank:
        log(f"{ranking.blank:,} of them have no tokens and are ranked last")
    if ranking.unknown:
        log(
            f"{ranking.unknown:,} of them have words outside the vocabulary, scored as {UNK}: such "
            "texts seem more likely than they are compared with others"
        )

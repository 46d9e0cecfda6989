r"""ARPA files: backoff models as text, the format that n-gram toolkits exchange. ::

    \data\
    ngram 1=4
    ngram 2=2

    \1-grams:
    -99.0000000<tab><s><tab>-0.3010300      log10 P, the n-gram, log10 of the backoff weight
    -0.4771213<tab></s>
    ...
    \end\

The end symbol of the vocabulary is ``<s>`` at the beginning of an n-gram and ``</s>`` at its end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NoReturn

import numpy as np

from nlp_rnn.arrays import Floats
from nlp_rnn.errors import UserError
from nlp_rnn.files import whole_file
from nlp_rnn.ngrams.counts import ABSENT, NGrams, Rows
from nlp_rnn.ngrams.model import NGramModel
from nlp_rnn.text.vocabulary import PAD_INDEX, Vocabulary

BEGIN, END = "<s>", "</s>"

LOG_ZERO = -99.0
"""The value that ARPA files use for the logarithm of 0."""


def write_arpa(model: NGramModel, vocabulary: Vocabulary, file: Path) -> None:
    """Write a model so that any ARPA reader gets its probabilities, to 7 decimals of log10.

    Raises:
        UserError: the format cannot hold a type, because it contains white space or is ``<s>`` or
            ``</s>``; or the file cannot be written.
        ValueError: the vocabulary is not that of the model.
    """
    ngrams, end = model.ngrams, vocabulary.end_index
    if (len(vocabulary), end) != (ngrams.vocabulary_size, ngrams.end_index):
        raise ValueError(
            f"the model has {ngrams.vocabulary_size} types and ends sentences with number "
            f"{ngrams.end_index}, received a vocabulary of {len(vocabulary)} and {end}"
        )
    words = _words(vocabulary, file)
    contexts = [*words[:end], BEGIN, *words[end + 1 :]]
    with whole_file(file) as partial, partial.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write("\\data\\\n")
        # There are as many unigrams as types: <pad> is missing, and the end symbol occurs twice.
        stream.writelines(f"ngram {n}={ngrams.size(n)}\n" for n in range(1, model.order + 1))
        logs, weights = _fields(model, 1)
        stream.write("\n\\1-grams:\n")
        stream.write(f"{LOG_ZERO:.7f}\t{BEGIN}{weights[end]}\n")
        for word in range(PAD_INDEX + 1, len(words)):
            weight = "" if word == end else weights[word]
            stream.write(f"{logs[word]:.7f}\t{words[word]}{weight}\n")
        for n in range(2, model.order + 1):
            logs, weights = _fields(model, n)
            pairs = zip(ngrams.contexts(n).tolist(), ngrams.words(n).tolist(), strict=True)
            names = [f"{contexts[context]} {words[word]}" for context, word in pairs]
            stream.write(f"\n\\{n}-grams:\n")
            stream.writelines(
                f"{log:.7f}\t{name}{weight}\n"
                for log, name, weight in zip(logs, names, weights, strict=True)
            )
            contexts = names
        stream.write("\n\\end\\\n")


def _words(vocabulary: Vocabulary, file: Path) -> list[str]:
    """The types as last words of n-grams."""
    end = vocabulary.end_index
    for index, word in enumerate(vocabulary.types):
        encoded = word.encode("utf-8")
        if index != end and (word in (BEGIN, END) or encoded.split() != [encoded]):
            raise UserError(
                f"{file}: the type {word!r} cannot be a word of an ARPA file; use a vocabulary "
                f"without {BEGIN}, {END} and types that contain white space"
            )
    return [*vocabulary.types[:end], END, *vocabulary.types[end + 1 :]]


def _fields(model: NGramModel, order: int) -> tuple[list[float], list[str]]:
    """The logarithm of each n-gram's probability, and its backoff field, empty for weight 1."""
    logs: list[float] = _log10(model.values[order - 1]).tolist()
    if order == model.order:
        return logs, [""] * len(logs)
    weights = _log10(model.backoffs[order - 1]).tolist()
    return logs, [f"\t{weight:.7f}" if weight else "" for weight in weights]


def _log10(values: Floats) -> Floats:
    return np.log10(values, out=np.full_like(values, LOG_ZERO), where=values > 0)


def read_arpa(file: Path, vocabulary: Vocabulary) -> NGramModel:
    """Read a model over the words of ``vocabulary``.

    Types without a 1-gram have probability 0. Anything before ``\\data\\`` is skipped.

    Raises:
        UserError: the file is missing or breaks the format; the message names the line. Causes are
            a missing section or header, a number of n-grams that differs from the header, too many
            or too few fields, fields that are not logarithms, words outside the vocabulary, ``<s>``
            after the first or ``</s>`` before the last position, and an n-gram that occurs twice or
            whose context is missing.
    """
    try:
        with file.open("rb") as stream:
            return _Reader(file, stream, vocabulary).model()
    except FileNotFoundError:
        raise UserError(f"{file}: no such ARPA file") from None
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror})") from None


class _Reader:
    """Reads one file from start to end; ``_fields`` holds the current line."""

    def __init__(self, file: Path, stream: IO[bytes], vocabulary: Vocabulary) -> None:
        self._file, self._stream, self._line = file, stream, 0
        self._fields: list[bytes] = []
        self._size, self._end = len(vocabulary), vocabulary.end_index
        self._words = {
            word.encode("utf-8"): index
            for index, word in enumerate(vocabulary.types)
            if index not in (PAD_INDEX, self._end)
        }
        self._first = self._words | {BEGIN.encode(): self._end}
        self._last = self._words | {END.encode(): self._end}
        # The unigram <s> has a backoff weight but is not one of the types: it is stored after them.
        self._unigrams = self._last | {BEGIN.encode(): self._size}

    def _fail(self, what: str, line: int | None = None) -> NoReturn:
        raise UserError(f"{self._file}, line {line or self._line}: {what}")

    def _advance(self) -> list[bytes]:
        """Go to the next line that is not blank."""
        for line in self._stream:
            self._line += 1
            if fields := line.split():
                self._fields = fields
                return fields
        self._fail("the file ends before \\data\\ or \\end\\; expected a complete ARPA file")

    def _expect(self, heading: str) -> None:
        if self._fields != [heading.encode()]:
            self._fail(f"expected {heading}, found {_text(self._fields)}")

    def model(self) -> NGramModel:
        """Read the whole file."""
        announced = self._header()
        keys: list[Rows] = [np.arange(self._size)]
        values, backoffs = [], []
        for n, count in enumerate(announced, 1):
            self._expect(f"\\{n}-grams:")
            words, logs, lines = self._section(n, len(announced))
            if len(lines) != count:
                self._fail(f"{len(lines)} {n}-grams end here, but the header announces {count}")
            value, backoff = np.where(logs > LOG_ZERO, 10**logs, 0).T
            if n == 1:
                rows = words[:, 0]
                self._distinct(rows, lines)
                unigrams, weights = np.zeros(self._size + 1), np.ones(self._size + 1)
                unigrams[rows], weights[rows] = value, backoff
                weights[self._end] = weights[self._size]
                value, backoff = unigrams[:-1], weights[:-1]
            else:
                packed = self._contexts(keys, words, lines) * self._size + words[:, -1]
                order = self._distinct(packed, lines)
                keys.append(packed[order])
                value, backoff = value[order], backoff[order]
            values.append(value)
            backoffs.append(backoff)
        self._expect("\\end\\")
        return NGramModel(NGrams(keys, self._size, self._end), values, backoffs[:-1])

    def _header(self) -> list[int]:
        """The number of n-grams of each order that the header announces."""
        while self._advance() != [b"\\data\\"]:
            pass
        announced: list[int] = []
        while self._advance()[0] == b"ngram" or not announced:
            match = re.fullmatch(rb"ngram(\d+)=(\d+)", b"".join(self._fields))
            order = len(announced) + 1
            if match is None or int(match[1]) != order:
                self._fail(f"expected 'ngram {order}=' and a number, found {_text(self._fields)}")
            announced.append(int(match[2]))
        return announced

    def _section(self, n: int, highest: int) -> tuple[Rows, Floats, Rows]:
        """The n-grams of one order, up to the line with the next heading.

        Returns:
            words ``(n-grams, n)``; logarithms of probability and backoff weight ``(n-grams, 2)``;
            line numbers ``(n-grams,)``.
        """
        words: list[int] = []
        logs: list[float] = []
        lines: list[int] = []
        while not (fields := self._advance())[0].startswith(b"\\"):
            weight = fields[n + 1 :] if n < highest else []
            if len(fields) != n + 1 + len(weight) or len(weight) > 1:
                most = " and at most a backoff weight" if n < highest else ""
                self._fail(f"expected a logarithm, {n} words{most}, found {_text(fields)}")
            try:
                logs += float(fields[0]), float(weight[0]) if weight else 0.0
            except ValueError:
                self._fail(f"not a number: {_text([fields[0], *weight])}")
            words += self._indices(fields[1 : n + 1])
            lines.append(self._line)
        pairs = np.array(logs, np.float64).reshape(-1, 2)
        possible = (pairs[:, 0] <= 0) & (pairs[:, 1] < np.inf)
        if not possible.all():
            place = possible.argmin()
            self._fail(f"not a log-probability and a log-weight: {pairs[place]}", lines[place])
        return np.array(words, np.int64).reshape(-1, n), pairs, np.array(lines, np.int64)

    def _indices(self, words: list[bytes]) -> list[int]:
        try:
            if len(words) == 1:
                return [self._unigrams[words[0]]]
            middle = [self._words[word] for word in words[1:-1]]
            return [self._first[words[0]], *middle, self._last[words[-1]]]
        except KeyError as error:
            name = _text(error.args)
            if name in (BEGIN, END):
                self._fail(f"{name} may only be the {'first' if name == BEGIN else 'last'} word")
            self._fail(f"'{name}' is not in the vocabulary")

    def _contexts(self, keys: list[Rows], words: Rows, lines: Rows) -> Rows:
        """The rows of the n-grams' contexts, one order below."""
        ngrams = NGrams(keys, self._size, self._end)
        rows = words[:, 0]
        for n in range(2, words.shape[1]):
            rows = ngrams.find(n, rows, words[:, n - 1])
        if (rows == ABSENT).any():
            order = words.shape[1]
            self._fail(
                f"the context of this {order}-gram is not among the {order - 1}-grams",
                int(lines[(rows == ABSENT).argmax()]),
            )
        return rows

    def _distinct(self, keys: Rows, lines: Rows) -> Rows:
        """The order that sorts ``keys``; fails if two are equal."""
        order = np.argsort(keys, kind="stable")
        again = np.diff(keys[order]) == 0
        if again.any():
            self._fail("this n-gram occurs twice", int(lines[order[1:][again].min()]))
        return order


def _text(fields: Sequence[bytes]) -> str:
    return b" ".join(fields).decode("utf-8", "replace")

"""WebAnno TSV 3, which INCEpTION exports and imports: a line a token, in sentences.

A sentence begins with its raw text (``#Text=``), then each token has its number, its offsets in the
document in UTF-16 code units, its text, and a column for each feature of each layer. A value with
``[N]`` belongs to the annotation ``N``, which may span several tokens; ``|`` separates stacked
annotations, and a token ``1-2.1`` is a part of the token ``1-2``
(https://inception-project.github.io/releases/37.2/docs/user-guide.html#sect_webannotsv).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from nlp_rnn.corpora.annotations import (
    AnnotatedText,
    Offsets,
    Span,
    Unit,
    check_quote,
    span_of,
    touched,
)
from nlp_rnn.corpora.lines import BadBytes, numbered_lines
from nlp_rnn.corpora.settings import Setting, SettingError
from nlp_rnn.errors import UserError

FORMAT = "#FORMAT=WebAnno TSV 3"
"""How every file begins."""

NAMED_ENTITY = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
"""The layer of named entities, which every project has."""

VALUE = "value"
"""Its feature with the type of an entity."""

HEADER = ("#FORMAT=WebAnno TSV 3.3", f"#T_SP={NAMED_ENTITY}|{VALUE}", "")
"""The lines before the sentences, each of which begins with a blank line."""

_TEXT = "#Text="
_FIXED = 3
"""The columns before those of the layers: number, offsets and text."""

_NUMBER = re.compile(r"\d+-\d+(\.\d+)?")
_RANGE = re.compile(r"(\d{1,18})-(\d{1,18})")
_STACKED = re.compile(r"(?<!\\)\|")
_WITH_ID = re.compile(r"(.*)(?<!\\)\[(\d+)\]", re.DOTALL)
_ESCAPED = re.compile(r"\\(u[0-9A-Fa-f]{4}|->|.)", re.DOTALL)
_RESERVED = re.compile(r"->|[\\\[\]|_;\t\n*]")
_NAMED = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "b": "\b"}
_LETTERS = {character: f"\\{letter}" for letter, character in _NAMED.items()} | {"\\": "\\\\"}


@dataclass
class _Sentence:
    """The lines of a sentence as they are read.

    Attributes:
        texts: the lines of its raw text.
        rows: the columns of its tokens, each with file and line.
    """

    texts: list[str] = field(default_factory=list)
    rows: list[tuple[str, list[str]]] = field(default_factory=list)


class _Part(NamedTuple):
    """What one token has of an annotation; offsets count from the start of the sentence."""

    where: str
    value: str
    start: int
    end: int


def is_webanno(first_line: str) -> bool:
    """Whether a file that begins with a line has this format."""
    return first_line.startswith(FORMAT)


def read(
    path: Path,
    bad_bytes: BadBytes,
    text_column: str = "text",
    unit: Unit = "utf16",
    layer: str | None = None,
) -> Iterator[AnnotatedText]:
    """Stream the sentences of a file.

    Args:
        text_column: is not used.
        layer: the layer, and after ``|`` the feature, of the types of entities; None for named
            entities, or the only layer of spans.

    Raises:
        UserError: the file is no WebAnno TSV 3, has no such layer, or a line is ill-formed.
    """
    layers: list[tuple[str, list[str]]] = []
    column: int | None = None
    for sentence in _sentences(path, bad_bytes, layers):
        if column is None:
            column = _FIXED + _column(path, layers, layer)
        yield _annotated(path, sentence, column, unit)


def texts(path: Path, bad_bytes: BadBytes) -> Iterator[str]:
    """Stream the raw texts of the sentences of a file, whatever layers it has."""
    return ("\n".join(sentence.texts) for sentence in _sentences(path, bad_bytes, []))


def _sentences(
    path: Path, bad_bytes: BadBytes, layers: list[tuple[str, list[str]]]
) -> Iterator[_Sentence]:
    """The sentences of a file; ``layers`` gets the layers that its header declares, in order."""
    lines = ((number, line.removesuffix("\r")) for number, line in numbered_lines(path, bad_bytes))
    _, first = next(lines, (1, ""))
    if not is_webanno(first):
        raise UserError(f"{path}, line 1: expected {FORMAT}.3, found {first[:40]!r}")
    sentence = _Sentence()
    for number, line in lines:
        where = f"{path}, line {number}"
        if line.startswith("#T_"):
            name, *features = line.partition("=")[2].split("|")
            layers.append((f"{line[3:5]} {name}", features or [""]))
        elif line.startswith(_TEXT):
            if sentence.rows:
                yield sentence
                sentence = _Sentence()
            sentence.texts.append(_unescaped(line.removeprefix(_TEXT)))
        elif line and not line.startswith("#"):
            sentence.rows.append((where, line.split("\t")))
    if sentence.rows:
        yield sentence


def _column(path: Path, layers: Sequence[tuple[str, list[str]]], wanted: str | None) -> int:
    """The number of the column of the types of entities, counted from the first of a layer.

    Raises:
        UserError: there is no such column, or it is not clear which one it is.
    """
    names = [
        (name.removeprefix("SP "), feature) if name.startswith("SP ") else None
        for name, features in layers
        for feature in features
    ]
    spans = [each for each in names if each is not None]
    if wanted is None:
        sole = len({name for name, _ in spans}) == 1
        default = [each for each in spans if each == (NAMED_ENTITY, VALUE)]
        only = [each for each in spans if sole and (each[1] == VALUE or len(spans) == 1)]
        found = default or only
    else:
        found = [each for each in spans if wanted in (each[0], "|".join(each))]
    if found:
        return names.index(found[0])
    listed = ", ".join("|".join(filter(None, each)) for each in spans) or "none"
    raise SettingError(
        f"{path}: which layer has the types of entities? Its layers of spans are {listed}; set ",
        Setting("layer"),
        " to one of them",
    )


def _annotated(path: Path, sentence: _Sentence, column: int, unit: Unit) -> AnnotatedText:
    where, _ = sentence.rows[0]
    if not sentence.texts:
        raise UserError(f"{where}: a token before the first line {_TEXT}; export the file again")
    offsets = Offsets("\n".join(sentence.texts), unit)
    base: int | None = None
    parts: dict[str, list[_Part]] = {}
    for number, (where, cells) in enumerate(sentence.rows):
        place = _RANGE.fullmatch(cells[1]) if len(cells) > column else None
        if not _NUMBER.fullmatch(cells[0]) or place is None:
            raise UserError(
                f"{where}: expected a token '1-1 tab 0-3 tab TEXT' and {column - _FIXED + 1} or "
                f"more columns, separated by tabs, found {' '.join(cells)!r:.60}"
            )
        base = int(place[1]) if base is None else base
        start, end = int(place[1]) - base, int(place[2]) - base
        if "." not in cells[0]:
            token = span_of(where, "token", [(start, end)], offsets)
            check_quote(where, token, _unescaped(cells[2]), offsets.text, unit)
        for value, key in _values(cells[column], number):
            parts.setdefault(key, []).append(_Part(where, value, start, end))
    spans = tuple(_span(of_one, offsets) for of_one in parts.values())
    return AnnotatedText(offsets.text, spans, sentence.rows[0][0])


def _values(cell: str, number: int) -> Iterator[tuple[str, str]]:
    """The values of a cell, each with a key that is the same in all parts of its annotation."""
    if cell == "_":
        return
    for i, value in enumerate(_STACKED.split(cell)):
        found = _WITH_ID.fullmatch(value)
        plain = found[1] if found else value
        yield "" if plain == "*" else _unescaped(plain), found[2] if found else f"{number}.{i}"


def _span(parts: Sequence[_Part], offsets: Offsets) -> Span:
    start, end = min(part.start for part in parts), max(part.end for part in parts)
    return span_of(parts[0].where, parts[0].value, [(start, end)], offsets)


def _unescaped(text: str) -> str:
    def character(found: re.Match[str]) -> str:
        letter = found[1]
        if len(letter) == 5:
            return chr(int(letter[1:], 16))
        return _NAMED.get(letter, letter)

    if "\\" not in text:
        return text
    # Two escapes may be the halves of one character beyond 16 bits.
    return (
        _ESCAPED.sub(character, text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


def _escaped_text(text: str) -> str:
    return "".join(_LETTERS.get(c, c) for c in text)


def _escaped_value(value: str) -> str:
    return _RESERVED.sub(lambda found: _LETTERS.get(found[0], "\\" + found[0]), value)


class Document:
    """Writes texts as the sentences of one document.

    The texts may be documents themselves, whose sentences then stand where they do in these: those
    of the first have its offsets.

    Args:
        unit: what its offsets count.
    """

    def __init__(self, unit: Unit = "utf16") -> None:
        self._unit: Unit = unit
        self._sentences = self._begin = self._spans = 0

    def lines(self, annotated: AnnotatedText, words: Sequence[tuple[int, int]]) -> Iterator[str]:
        """The lines of a text; none if it has no words, since a sentence begins with one.

        White space before the first word and after the last cannot be written.

        Args:
            words: the start and end of each token.
        """
        if not annotated.sentences:
            if words:
                end = max(words[-1][1], len(annotated.text.rstrip()))
                offsets = Offsets(annotated.text[words[0][0] : end], self._unit)
                yield from self._sentence(offsets, annotated.spans, words)
                self._begin += offsets.length + 1
            return
        offsets, base = Offsets(annotated.text, self._unit), self._begin
        spans = sorted(annotated.spans, key=lambda span: span.start)
        places = [(span.start, span.end) for span in spans]
        for start, end in annotated.sentences:
            if of_sentence := words[slice(*touched(words, start, end))]:
                first = of_sentence[0][0]
                self._begin = base + offsets.unit(first)
                inside = Offsets(annotated.text[first:end], self._unit)
                of_spans = spans[slice(*touched(places, start, end))]
                yield from self._sentence(inside, of_spans, of_sentence)
        self._begin = base + offsets.length + 1

    def _sentence(
        self, offsets: Offsets, spans: Sequence[Span], words: Sequence[tuple[int, int]]
    ) -> Iterator[str]:
        """The lines of a sentence whose first word, with which its text begins, stands at
        ``_begin``; its spans and words count in the whole text."""
        first = words[0][0]
        self._sentences += 1
        yield ""
        yield from (f"{_TEXT}{_escaped_text(line)}" for line in offsets.text.split("\n"))
        values = self._values_of(spans, words)
        for number, ((start, end), value) in enumerate(zip(words, values, strict=True), 1):
            begin, stop = (self._begin + offsets.unit(place - first) for place in (start, end))
            token = _escaped_text(offsets.text[start - first : end - first])
            yield f"{self._sentences}-{number}\t{begin}-{stop}\t{token}\t{value}\t"

    def _values_of(self, spans: Sequence[Span], words: Sequence[tuple[int, int]]) -> Iterator[str]:
        """The value of each word."""
        of_word: list[list[str]] = [[] for _ in words]
        for span in spans:
            self._spans += 1
            for i in range(*touched(words, span.start, span.end)):
                of_word[i].append(f"{_escaped_value(span.type)}[{self._spans}]")
        return ("|".join(values) or "_" for values in of_word)

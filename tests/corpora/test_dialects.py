"""CSV and TSV as people have them: quotes, delimiters, headers, line ends; and writing them."""

from __future__ import annotations

import csv
import io
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from nlp_rnn.config import FilesDataset, Quoting
from nlp_rnn.corpora import open_corpus
from nlp_rnn.corpora.dialects import Dialect, TableWriter
from nlp_rnn.corpora.lines import HEAD, raw_lines
from nlp_rnn.errors import UserError

QUIET = settings(deadline=None, derandomize=True, max_examples=150)


def read(folder: Path, content: str | bytes, **parameters: object) -> list[tuple[str, str]]:
    """The examples of a table as ``(text, label)``."""
    (folder / "a").write_bytes(content.encode() if isinstance(content, str) else content)
    section = {"source": "files", "train": "a", **parameters}
    corpus = open_corpus("mine", FilesDataset.model_validate(section), folder)
    return [(each.text, each.label) for each in corpus.read("train")]


def fault(folder: Path, content: str | bytes, **parameters: object) -> str:
    with pytest.raises(UserError) as caught:
        read(folder, content, **parameters)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- quotes -------------------------------------------------------------------------


def test_a_tsv_is_a_row_a_line_whatever_its_quotes(tmp_path: Path) -> None:
    rows = [('" so good', "pos"), ("bad", "neg"), ('not good "', "neg"), ('a "b" c', "pos")]
    content = "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows)
    assert read(tmp_path, content, format="tsv") == rows


def test_quoting_is_a_setting_in_both_formats(tmp_path: Path) -> None:
    quoted = 'text\tlabel\n"a\n""b"""\tpos\n'
    assert read(tmp_path, quoted, format="tsv", quoting="double") == [('a\n"b"', "pos")]
    stray = 'text,label\n"a,pos\nb",neg\n'
    assert read(tmp_path, stray, format="csv", quoting="none") == [('"a', "pos"), ('b"', "neg")]


def test_advice_on_quotes_works(tmp_path: Path) -> None:
    never_closed = 'text,label\n"a,pos\nb,neg\n'
    assert "set quoting: none" in fault(tmp_path, never_closed, format="csv")
    assert len(read(tmp_path, never_closed, format="csv", quoting="none")) == 2
    quoted = 'text\tlabel\n"a\nb"\tpos\n'
    assert "set quoting: double" in fault(tmp_path, quoted, format="tsv")
    assert read(tmp_path, quoted, format="tsv", quoting="double") == [("a\nb", "pos")]


# --- delimiters and headers ---------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "delimiter"),
    [("csv", ";"), ("csv", "\t"), ("csv", "|"), ("tsv", ","), ("tsv", ";"), ("tsv", "|")],
)
@pytest.mark.parametrize("header", ["text{0}label\n", "id{0}text{0}label\n", ""])
def test_a_wrong_delimiter_is_named_and_the_advice_works(
    tmp_path: Path, format: str, delimiter: str, header: str
) -> None:
    parameters: dict[str, object] = {"format": format}
    if not header:
        parameters |= {"header": False, "text_column": 0, "label_column": 1}
    first = "7{0}" if "id" in header else ""
    content = (header + first + "good{0}pos\n" + first + "bad{0}neg\n").format(delimiter)
    message = fault(tmp_path, content, **parameters)
    shown = "\\t" if delimiter == "\t" else delimiter
    assert f'set delimiter: "{shown}"' in message and "line 1" in message
    wanted = [("good", "pos"), ("bad", "neg")]
    assert read(tmp_path, content, delimiter=delimiter, **parameters) == wanted


def test_a_column_that_only_another_delimiter_has(tmp_path: Path) -> None:
    content = "id,a;text;label\n1,x;good;pos\n"
    assert 'set delimiter: ";"' in fault(tmp_path, content, format="csv")
    assert read(tmp_path, content, format="csv", delimiter=";") == [("good", "pos")]


def test_rows_that_only_another_delimiter_makes_equal(tmp_path: Path) -> None:
    """Quotes, which the advice was once, would make labels of texts."""
    content = "good, really;pos\nbad;neg\nso, so, so;neg\n"
    columns = {"format": "csv", "header": False, "text_column": 0, "label_column": 1}
    message = fault(tmp_path, content, **columns)
    assert "line 2" in message and 'set delimiter: ";"' in message and "quotes" not in message
    assert len(read(tmp_path, content, delimiter=";", **columns)) == 3


def test_the_mark_of_excel_is_explained(tmp_path: Path) -> None:
    table = "text;label\ngood;pos\n"
    message = fault(tmp_path, "sep=;\n" + table, format="csv")
    assert "remove the line" in message and 'delimiter: ";"' in message
    assert read(tmp_path, table, format="csv", delimiter=";") == [("good", "pos")]


def test_columns_by_number(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbfgood;pos\r\nbad;neg\r\n"
    parameters = {"format": "csv", "delimiter": ";", "header": False}
    wanted = [("good", "pos"), ("bad", "neg")]
    assert read(tmp_path, content, text_column=0, label_column=1, **parameters) == wanted
    assert read(tmp_path, content, text_column=-2, label_column=-1, **parameters) == wanted
    numbers = {"text_column": 1, "label_column": 0}
    assert read(tmp_path, "a,b\nx,y\n", format="csv", **numbers) == [("y", "x")]
    message = fault(tmp_path, "a,b\nx,y\n", format="csv", text_column=2, label_column=0)
    assert "no column 2 (text_column)" in message and "counted from 0" in message


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"format": "csv", "header": False}, "set text_column: 0"),
        ({"format": "jsonl", "delimiter": ";"}, "delimiter needs format csv or tsv"),
        ({"format": "parquet", "header": True}, "header needs format csv or tsv"),
        ({"format": "text", "quoting": "none"}, "quoting needs format csv or tsv"),
        ({"format": "conll", "text_column": "word"}, "text_column is not for format conll"),
        ({"format": "prodigy", "label_column": "accept"}, "label_column is not for format prodigy"),
        ({"format": "jsonl", "text_column": 0}, "text_column of format jsonl is a name"),
        ({"format": "csv", "delimiter": ";;"}, "expected one character"),
        ({"format": "csv", "delimiter": '"'}, "expected one character"),
        ({"format": "csv", "label_column": "text"}, "are the same column"),
        ({"format": "csv", "suffix": ".md"}, "suffix needs format folders"),
    ],
)
def test_settings_that_do_not_fit(parameters: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        FilesDataset.model_validate({"source": "files", "train": "a", **parameters})


def test_a_tab_may_be_written_by_its_name() -> None:
    for written in ("tab", "\\t", "\t"):
        section = {"source": "files", "train": "a", "format": "csv", "delimiter": written}
        assert FilesDataset.model_validate(section).delimiter == "\t"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("text,text,label\na,b,c\n", "2 columns 'text' (text_column); rename or remove one"),
        ("text,label\na,b\nc\n", "line 3: expected 2 columns as in the first row, found 1"),
        ("text,label\na,\n", "line 2: column 'label': expected a label"),
        ("text,label\n", "has no examples"),
        ("text,label\na,b\0\n", "byte 0x00 is not UTF-8 text"),
        ("text,label\na\rb,x\nc,y\n", "line 2: the row contains a carriage return (CR)"),
    ],
)
def test_faults_of_rows(tmp_path: Path, content: str, words: str) -> None:
    assert words in fault(tmp_path, content, format="csv")


def test_labels_of_another_type_say_what_to_write(tmp_path: Path) -> None:
    message = fault(tmp_path, '{"text": "a", "label": 1.5}\n', format="jsonl")
    assert "found float 1.5; write the labels as text" in message
    assert read(tmp_path, '{"text": "a", "label": true}\n', format="jsonl") == [("a", "true")]


# --- line ends ----------------------------------------------------------------------

ENDS = ["\n", "\r\n", "\r"]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    ("format", "lines"),
    [
        ("csv", ["text,label", '"a, b",x', "c,y"]),
        ("tsv", ["text\tlabel", "a, b\tx", "c\ty"]),
        ("jsonl", ['{"text": "a, b", "label": "x"}', '{"text": "c", "label": "y"}']),
    ],
)
@pytest.mark.parametrize("last", [True, False])
def test_every_line_end_is_read(
    tmp_path: Path, end: str, format: str, lines: list[str], last: bool
) -> None:
    content = end.join(lines) + (end if last else "")
    assert read(tmp_path, content, format=format) == [("a, b", "x"), ("c", "y")]


def test_a_table_that_excel_saved_as_unicode_text(tmp_path: Path) -> None:
    content = "text\tlabel\na\tx\n".encode("utf-16")
    assert "is UTF-16 text; save the file as UTF-8" in fault(tmp_path, content, format="tsv")


@pytest.mark.parametrize("end", ENDS)
def test_line_ends_of_text_and_of_columns(tmp_path: Path, end: str) -> None:
    (tmp_path / "a").write_bytes(end.join(["x N", "y V", "", "z N", ""]).encode())

    def examples(format: str) -> list[tuple[object, ...]]:
        section = {"source": "files", "train": "a", "format": format}
        corpus = open_corpus("mine", FilesDataset.model_validate(section), tmp_path)
        return [(each.text, each.tokens) for each in corpus.read("train")]

    assert examples("text") == [(line, ()) for line in ("x N", "y V", "", "z N")]
    assert examples("conll") == [("", ("x", "y")), ("", ("z",))]


def test_a_carriage_return_within_a_line_is_data(tmp_path: Path) -> None:
    quoted = 'text,label\n"a\rb",x\n'
    assert read(tmp_path, quoted, format="csv") == [("a\rb", "x")]
    assert read(tmp_path, "text\tlabel\na\rb\tx\n", format="tsv") == [("a\rb", "x")]


@pytest.mark.slow
@QUIET
@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n")), min_size=2),
    st.sampled_from(ENDS),
    st.sampled_from([0, HEAD - 2, HEAD - 1, HEAD, 2 * HEAD]),
)
def test_lines_are_those_that_were_joined(lines: list[str], end: str, longest: int) -> None:
    lines[0] += "x" * longest if end != "\r" else ""
    raw = [line.encode() for line in lines]
    found = list(raw_lines(io.BytesIO(end.encode().join([*raw, b""]))))
    assert [line.removesuffix(b"\n").removesuffix(b"\r") for line in found] == raw


@pytest.mark.slow
@QUIET
@given(st.lists(st.binary(max_size=5).map(lambda raw: raw.replace(b"\n", b"")), min_size=1))
def test_lines_at_carriage_returns_meet_any_block(lines: list[bytes]) -> None:
    """Blocks end anywhere, also between a CR and an LF."""
    whole = b"start\r" + b"\r\n".join(lines)
    for size in (HEAD - 8, HEAD - 6):
        raw = b"x" * size + b"\r" + whole
        assert b"".join(raw_lines(io.BytesIO(raw))).split(b"\n")[:-1] == raw.splitlines()


# --- writing ------------------------------------------------------------------------

ODD = ['"', '""', ",", ";", "\t", "\r", "\n", "\r\n", "\ufeff", " ", 'a"b', "\u2028", "sep=;"]
CELLS = st.sampled_from(ODD) | st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), max_size=8
)


def write(file: Path, dialect: Dialect, rows: list[list[str]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = TableWriter(stream, dialect, "out")
        for row in rows:
            writer.write(row)


@pytest.mark.slow
@QUIET
@given(
    st.integers(2, 4).flatmap(
        lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1)
    ),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["double", "none"]),
)
def test_what_is_written_reads_back(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[list[str]],
    delimiter: str,
    quoting: Quoting,
) -> None:
    file = tmp_path_factory.getbasetemp() / "table"
    dialect = Dialect(delimiter, quoting)
    table = [[f"column {i}" for i in range(len(rows[0]))], *rows]
    refused = quoting == "none" and any(
        bad in cell for row in rows for cell in row for bad in (delimiter, "\r", "\n")
    )
    refusal = pytest.raises(UserError, match=r"write \.csv, \.jsonl or \.parquet")
    with refusal if refused else nullcontext(), file.open("w", encoding="utf-8", newline="") as out:
        writer = TableWriter(out, dialect, "out")
        for row in table:
            writer.write(row)
    if refused:
        return
    assert [row for _, row in dialect.rows(file, "error")] == table
    if quoting == "double":
        with file.open(encoding="utf-8", newline="") as stream:
            assert list(csv.reader(stream, delimiter=delimiter, strict=True)) == table

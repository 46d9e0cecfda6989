"""Batch prediction: every format, in order; what each fault says; files whole or not there."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nlp_rnn.cli import main
from nlp_rnn.files import sha256, whole_file
from nlp_rnn.inference import inputs, outputs
from nlp_rnn.inference.predictor import DEFAULT, Options, Predictor
from nlp_rnn.runtime.bundle import Bundle

TEXTS = [
    "good , not bad at all",
    "",
    'a "bad" film',
    "Ann Lee lives in New York",
    "très bien \u2028 fin",
]
TASKS = ("classification", "tagging", "language_modelling")
FORMATS = (".txt", ".csv", ".tsv", ".jsonl", ".parquet")


@pytest.fixture(autouse=True)
def loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep loaded models from one test to the next."""
    load = Predictor.of

    def cached(bundle: Bundle, options: Options = DEFAULT) -> Predictor:
        if bundle.folder not in _PREDICTORS:
            _PREDICTORS[bundle.folder] = load(bundle)
        known = _PREDICTORS[bundle.folder]
        return known if options == known.options else known.asked(options)

    monkeypatch.setattr(Predictor, "of", staticmethod(cached))


_PREDICTORS: dict[Path, Predictor] = {}


def expected(bundle: Path, texts: list[Any]) -> list[dict[str, Any]]:
    """Predictions one by one."""
    return [next(iter(Predictor.load(bundle).predict([text]))) for text in texts]


def write_texts(file: Path, texts: list[str], **columns: list[Any]) -> Path:
    rows = [
        dict(zip(("text", *columns), row, strict=True))
        for row in zip(texts, *columns.values(), strict=True)
    ]
    match file.suffix:
        case ".txt":
            file.write_text("".join(text + "\n" for text in texts), encoding="utf-8")
        case ".csv":
            with file.open("w", newline="", encoding="utf-8") as stream:
                writer = csv.DictWriter(stream, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        case ".tsv":
            cells = [list(rows[0]), *([str(cell) for cell in row.values()] for row in rows)]
            # A blank line would be no row.
            lines = ["\t".join([*row, "end"]) + "\n" for row in cells]
            file.write_text("".join(lines), encoding="utf-8")
        case ".jsonl":
            file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        case ".parquet":
            pq.write_table(pa.Table.from_pylist(rows), file)
    return file


def read_table(file: Path) -> list[dict[str, Any]]:
    match file.suffix:
        case ".csv":
            with file.open(newline="", encoding="utf-8") as stream:
                return list(csv.DictReader(stream, strict=True))
        case ".tsv":
            header, *lines = file.read_text(encoding="utf-8").split("\n")[:-1]
            names = header.split("\t")
            return [dict(zip(names, line.split("\t"), strict=True)) for line in lines]
        case ".jsonl":
            return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n")[:-1]]
        case _:
            return pq.read_table(file).to_pylist()


def predict(bundle: Path, input: Path | str, output: Path | str, *options: str) -> None:
    assert main(["predict", str(bundle), str(input), str(output), *options]) == 0


def close(found: Any, wanted: Any) -> None:
    """Equal, numbers to what sums in another order can differ by."""
    if isinstance(wanted, dict):
        assert list(found) == list(wanted)
        for key in wanted:
            close(found[key], wanted[key])
    elif isinstance(wanted, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            close(one, other)
    elif isinstance(wanted, float):
        assert float(found) == pytest.approx(wanted, rel=1e-5)
    else:
        assert type(wanted)(found) == wanted


# --- round trips --------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("suffix", FORMATS)
def test_batch_is_one_by_one_from_every_format(
    bundles: dict[str, Path], tmp_path: Path, task: str, suffix: str
) -> None:
    file = write_texts(tmp_path / f"in{suffix}", TEXTS)
    predict(bundles[task], file, tmp_path / "out.jsonl")
    more = {"end": "end"} if suffix == ".tsv" else {}
    wanted = [
        {"text": text, **more, **record}
        for text, record in zip(TEXTS, expected(bundles[task], TEXTS), strict=True)
    ]
    close(read_table(tmp_path / "out.jsonl"), wanted)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_tables_are_flat(bundles: dict[str, Path], tmp_path: Path, task: str, suffix: str) -> None:
    file = write_texts(tmp_path / "in.txt", TEXTS)
    out = tmp_path / f"out{suffix}"
    predict(bundles[task], file, out)
    for row, text, record in zip(
        read_table(out), TEXTS, expected(bundles[task], TEXTS), strict=True
    ):
        assert row.pop("text") == text
        if task == "tagging":
            lists = {key: json.loads(row[key]) for key in ("tokens", "probabilities", "entities")}
            close(
                {
                    "tokens": lists["tokens"],
                    "tags": row["tags"].split(" ") if row["tags"] else [],
                    **lists,
                },
                record,
            )
        elif task == "classification":
            names = ["label", "probability", "probability_negative", "probability_positive"]
            assert sorted(row) == names
            close([row["label"], row["probability"]], [record["label"], record["probability"]])
            close(row["probability_negative"], record["probabilities"]["negative"])
        else:
            close(row, record)


@pytest.mark.parametrize("task", TASKS)
def test_lines_answer_lines(bundles: dict[str, Path], tmp_path: Path, task: str) -> None:
    file = tmp_path / "in.txt"
    file.write_bytes("\n".join(TEXTS).replace("\n", "\r\n").encode())  # no line end at the end
    predict(bundles[task], file, tmp_path / "out.TXT")
    lines = (tmp_path / "out.TXT").read_text().split("\n")[:-1]
    for line, record in zip(lines, expected(bundles[task], TEXTS), strict=True):
        if task == "tagging":
            assert line == " ".join(record["tags"])
        else:
            close(line, record.get("label", record.get("log_probability")))


def test_entities_point_into_the_text(bundles: dict[str, Path], tmp_path: Path) -> None:
    texts = ["  Ann\tLee  lives in Rome ", "x y z w v", "New York \U0001f600 Rome"] * 20
    predict(bundles["tagging"], write_texts(tmp_path / "in.jsonl", texts), tmp_path / "out.jsonl")
    rows = read_table(tmp_path / "out.jsonl")
    entities = [(row["text"], entity) for row in rows for entity in row["entities"]]
    assert entities
    assert all(text[entity["start"] : entity["end"]] == entity["text"] for text, entity in entities)


@pytest.mark.parametrize("source", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("target", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_columns_are_kept_and_renamed_where_predicted(
    bundles: dict[str, Path], tmp_path: Path, source: str, target: str
) -> None:
    line_end = "" if target == ".tsv" else "\r\n"  # which TSV cannot hold
    file = write_texts(
        tmp_path / f"in{source}",
        ["good", f"bad{line_end}film"],
        id=[7, 8],
        label=["x, y", 'z"'],
        input_label=[f"1{line_end[:1]}2", "b"],
    )
    predict(bundles["classification"], file, tmp_path / f"out{target}")
    rows = read_table(tmp_path / f"out{target}")
    assert [row["text"] for row in rows] == ["good", f"bad{line_end}film"]
    assert [int(row["id"]) for row in rows] == [7, 8]
    assert [row["input_input_label"] for row in rows] == ["x, y", 'z"']
    assert [row["input_label"] for row in rows] == [f"1{line_end[:1]}2", "b"]
    assert {row["label"] for row in rows} <= {"positive", "negative"}
    assert list(rows[0])[:4] == ["text", "id", "input_input_label", "input_label"]


def test_predictions_can_be_predicted_for_again(bundles: dict[str, Path], tmp_path: Path) -> None:
    write_texts(tmp_path / "0.csv", ["a\rb", 'c "d"', ""])
    for i in range(3):
        predict(bundles["classification"], tmp_path / f"{i}.csv", tmp_path / f"{i + 1}.csv")
    rows = read_table(tmp_path / "3.csv")
    assert [row["text"] for row in rows] == ["a\rb", 'c "d"', ""]
    assert [row["label"] for row in rows] == [row["input_input_label"] for row in rows]


def test_objects_with_other_keys(bundles: dict[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    records: list[dict[str, Any]] = [
        {
            "text": "a",
            "n": 1,
            "big": 1 << 70,
            "x": [1, {"y": None}],
            "even": True,
            "half": "\ud800",
        },
        {"other": None, "text": "b", "n": 1.5, "big": 2},
        {"text": "c", "n": None, "other": {"k": "é"}, "even": None},
    ]
    file.write_text("\n\n".join(json.dumps(record) for record in records))
    predict(bundles["classification"], file, tmp_path / "out.jsonl")
    for row, record in zip(read_table(tmp_path / "out.jsonl"), records, strict=True):
        assert {key: row[key] for key in record} == record
        assert set(row) == {*record, "label", "probability", "probabilities"}
    predict(bundles["classification"], file, tmp_path / "out.csv")
    rows = read_table(tmp_path / "out.csv")
    assert [row["n"] for row in rows] == ["1", "1.5", ""]
    assert [row["x"] for row in rows] == ['[1, {"y": null}]', "", ""]
    assert [row["other"] for row in rows] == ["", "", '{"k": "é"}']
    assert [row["even"] for row in rows] == ["true", "", ""]
    predict(bundles["classification"], file, tmp_path / "out.parquet")
    rows = read_table(tmp_path / "out.parquet")
    assert [row["n"] for row in rows] == [1.0, 1.5, None]
    assert [row["big"] for row in rows] == [str(1 << 70), "2", None]
    assert [row["even"] for row in rows] == [True, None, None]


def test_numbers_that_json_lacks_are_null(bundles: dict[str, Path], tmp_path: Path) -> None:
    write_texts(tmp_path / "in.parquet", ["a", "b"], n=[float("nan"), 1.5])
    predict(bundles["classification"], tmp_path / "in.parquet", tmp_path / "out.jsonl")
    assert [row["n"] for row in read_table(tmp_path / "out.jsonl")] == [None, 1.5]


@pytest.mark.slow
def test_parquet_keeps_types(
    bundles: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "ROW_GROUP_BYTES", 1 << 16)
    n = 3000
    table = pa.table(
        {
            "text": pa.array([f"good {i}" for i in range(n)], pa.large_string()),
            "sort": pa.array([str(i // 500) for i in range(n)]).dictionary_encode(),
            "when": pa.array(range(n), pa.timestamp("ns")),
            "cents": pa.array([[i, None] for i in range(n)], pa.list_(pa.int16())),
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    predict(bundles["classification"], tmp_path / "in.parquet", tmp_path / "out.parquet")
    out = pq.read_table(tmp_path / "out.parquet")
    assert pq.ParquetFile(tmp_path / "out.parquet").num_row_groups > 1
    for column in ("when", "cents"):
        assert out[column].equals(table[column])
    assert out["sort"].to_pylist() == table["sort"].to_pylist()
    assert out["text"].to_pylist() == table["text"].to_pylist()
    predict(bundles["classification"], tmp_path / "in.parquet", tmp_path / "out.csv")
    row = read_table(tmp_path / "out.csv")[1]
    assert row["when"].startswith("1970-01-01T00:00:00") and row["cents"] == "[1, null]"


def test_chunks_are_in_order_and_bounded(
    bundles: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "CHUNK", 7)
    monkeypatch.setattr(inputs, "CHUNK_CHARACTERS", 100)
    texts = [" ".join(["good", "bad", "x"][: i % 4] * (1 + i % 13)) for i in range(100)]
    for suffix in FORMATS:
        file = write_texts(tmp_path / f"in{suffix}", texts)
        source = inputs.open_source(str(file), "text", "error")
        chunks = list(source.chunks())
        assert len(chunks) > 14 and all(len(chunk.items) <= 7 for chunk in chunks)
        assert all(sum(map(len, chunk.items[:-1])) < 100 for chunk in chunks)
        assert list(itertools.chain(*(chunk.items for chunk in chunks))) == texts
        predict(bundles["classification"], file, tmp_path / "out.jsonl")
        assert [row["text"] for row in read_table(tmp_path / "out.jsonl")] == texts


@pytest.mark.slow
def test_memory_does_not_grow_with_the_input(tmp_path: Path) -> None:
    """Reading and writing; predictions stand in for the network's."""
    import tracemalloc

    def peak(rows: int, suffix: str, target: str) -> int:
        file = write_texts(tmp_path / f"in{suffix}", ["word " * 40] * rows, id=list(range(rows)))
        tracemalloc.start()
        source = inputs.open_source(str(file), "text", "error")
        known = inputs.survey(source, True, lambda texts: None)
        columns = {"label": str, "probabilities": dict[str, float]}
        output = str(tmp_path / f"out{target}")
        with outputs.open_writer(output, target, known.columns, columns) as writer:
            for chunk in source.chunks():
                writer.write(
                    chunk, ({"label": "a", "probabilities": {"a": 1.0}} for _ in chunk.items)
                )
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    for suffix in (".csv", ".jsonl", ".parquet"):
        peak(10, suffix, suffix)
        assert peak(12_000, suffix, suffix) < 1.3 * peak(4_000, suffix, suffix)


# --- CoNLL --------------------------------------------------------------------------

CONLL = """
-DOCSTART- -X- O

# id = 1
Ann NNP B-PER
sleeps VBZ O


New\tNNP\tB-LOC
York\tNNP\tI-LOC
"""

CONLLU = """# text = don't go
1-2\tdon't\t_\t_\t_\t_\t_\t_\t_\tSpaceAfter=No
1\tdo\tdo\tAUX\tVBP\t_\t3\taux\t_\t_
2\tn't\tnot\t_\t_\t_\t3\tadvmod\t_\t_
2.1\tx\t_\t_\t_\t_\t_\t_\t_\t_
3\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\t_

# a comment by itself

1\t10 000\t_\t_\t_\t_\t0\troot\t_\t_

"""


def test_conll_gets_a_last_column(bundles: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "in.conll").write_text(CONLL)
    predict(bundles["tagging"], tmp_path / "in.conll", tmp_path / "out.conll")
    tags = [p["tags"] for p in expected(bundles["tagging"], [("Ann", "sleeps"), ("New", "York")])]
    wanted = CONLL.replace("-X- O", "-X- O O")
    for line, tag in zip(("Ann NNP B-PER", "sleeps VBZ O"), tags[0], strict=True):
        wanted = wanted.replace(line, f"{line} {tag}")
    for line, tag in zip(("New\tNNP\tB-LOC", "York\tNNP\tI-LOC"), tags[1], strict=True):
        wanted = wanted.replace(line, f"{line}\t{tag}")
    assert (tmp_path / "out.conll").read_text() == wanted


def test_conllu_gets_upos_and_keeps_all_else(bundles: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "in.conllu").write_bytes(CONLLU.replace("\n", "\r\n").encode())
    predict(bundles["tagging"], tmp_path / "in.conllu", tmp_path / "out.conllu")
    tags = [p["tags"] for p in expected(bundles["tagging"], [("do", "n't", "go"), ("10 000",)])]
    predicted = iter(itertools.chain(*tags))
    wanted = []
    for line in CONLLU.split("\n"):
        columns = line.split("\t")
        if columns[0].isdecimal():
            columns[3] = next(predicted)
        wanted.append("\t".join(columns))
    assert (tmp_path / "out.conllu").read_text() == "\n".join(wanted)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("suffix", [".conll", ".conllu"])
def test_sentences_for_every_task(
    bundles: dict[str, Path], tmp_path: Path, task: str, suffix: str
) -> None:
    (tmp_path / f"in{suffix}").write_text(CONLL if suffix == ".conll" else CONLLU)
    words = (
        [("Ann", "sleeps"), ("New", "York")]
        if suffix == ".conll"
        else [("do", "n't", "go"), ("10 000",)]
    )
    predict(bundles[task], tmp_path / f"in{suffix}", tmp_path / "out.jsonl")
    records = expected(bundles[task], words)
    wanted = [{"text": " ".join(w), **record} for w, record in zip(words, records, strict=True)]
    close(read_table(tmp_path / "out.jsonl"), wanted)


def test_sentences_from_text_and_from_the_other_format(
    bundles: dict[str, Path], tmp_path: Path
) -> None:
    file = write_texts(tmp_path / "in.csv", ["Ann  sleeps", " ", "in\nRome"])
    tags = [p["tags"] for p in expected(bundles["tagging"], ["Ann  sleeps", "in Rome"])]
    predict(bundles["tagging"], file, tmp_path / "out.conll")
    first = f"Ann\t{tags[0][0]}\nsleeps\t{tags[0][1]}\n\n"
    assert (
        tmp_path / "out.conll"
    ).read_text() == f"{first}\nin\t{tags[1][0]}\nRome\t{tags[1][1]}\n\n"
    predict(bundles["tagging"], file, tmp_path / "out.conllu")
    ud = ""
    for i, text, predicted in ((1, "Ann sleeps", tags[0]), (3, "in Rome", tags[1])):
        ud += f"# sent_id = {i}\n# text = {text}\n"
        for number, (word, tag) in enumerate(zip(text.split(), predicted, strict=True), 1):
            ud += f"{number}\t{word}\t_\t{tag}" + "\t_" * 6 + "\n"
        ud += "\n"
    assert (tmp_path / "out.conllu").read_text() == ud
    predict(bundles["tagging"], tmp_path / "out.conllu", tmp_path / "back.conll")
    assert (tmp_path / "back.conll").read_text() == (tmp_path / "out.conll").read_text().replace(
        "\n\n\n", "\n\n"
    )


# --- standard input and output ------------------------------------------------------


def feed(monkeypatch: pytest.MonkeyPatch, raw: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw), encoding="ascii"))


def test_pipe(
    bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    feed(monkeypatch, "good\r\n\ntrès bon".encode())
    predict(bundles["classification"], "-", "-")
    out, err = capfd.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["text"] for row in rows] == ["good", "", "très bon"]
    assert err.startswith("3 texts in ") and err.count("\n") == 1


def test_pipe_into_a_file_and_out_of_one(
    bundles: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    feed(monkeypatch, b"good\nbad\n")
    predict(
        bundles["classification"],
        "-",
        tmp_path / "new" / "folder" / "out.csv",
        "--text-column",
        "review",
    )
    rows = read_table(tmp_path / "new" / "folder" / "out.csv")
    assert [row["review"] for row in rows] == ["good", "bad"]
    capfd.readouterr()
    predict(
        bundles["classification"],
        tmp_path / "new" / "folder" / "out.csv",
        "-",
        "--text-column",
        "review",
    )
    again = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [row["label"] for row in again] == [row["input_label"] for row in again]


@pytest.mark.parametrize(
    ("raw", "words"), [(b"", "no texts"), (b"good\n\xff\n", "line 2: byte 0xff")]
)
def test_faults_of_standard_input(
    bundles: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    raw: bytes,
    words: str,
) -> None:
    feed(monkeypatch, raw)
    assert main(["predict", str(bundles["classification"]), "-", "-"]) == 2
    out, err = capfd.readouterr()
    assert not out and "standard input" in err and words in err and err.count("\n") == 1


def test_reader_of_the_output_is_gone(
    bundles: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, write = os.pipe()
    os.close(read)
    stream = os.fdopen(write, "w")
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    file = write_texts(tmp_path / "in.txt", TEXTS)
    assert main(["predict", str(bundles["classification"]), str(file), "-"]) == 0
    stream.close()  # nothing fails any more


# --- faults -------------------------------------------------------------------------


def fault(
    bundle: Path, input: Path | str, output: Path, capfd: pytest.CaptureFixture[str], *options: str
) -> str:
    """The message; what is beside the output is unchanged."""
    before = sorted(output.parent.iterdir()) if output.parent.is_dir() else None
    capfd.readouterr()
    assert main(["predict", str(bundle), str(input), str(output), *options]) == 2
    after = sorted(output.parent.iterdir()) if output.parent.is_dir() else None
    assert before == after
    message = capfd.readouterr().err
    assert message.startswith("error: ") and message.count("\n") == 1
    return message


@pytest.fixture
def before_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where a fault is found only after a model is loaded."""

    def load(bundle: Bundle) -> Predictor:
        raise AssertionError("loaded a model first")

    monkeypatch.setattr(Predictor, "of", staticmethod(load))


@pytest.mark.usefixtures("before_keras")
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", b"good\nb\xffd\n", ["line 2", "byte 0xff", "save the file as UTF-8"]),
        ("a.txt", b"", ["is empty"]),
        ("a.pdf", b"x", ["suffix '.pdf'", ".jsonl", ".conllu", "or is -"]),
        ("a", b"x", ["no suffix", ".csv"]),
        (
            "a.csv",
            b"txt,b\nx,y\n",
            ["line 1", "no column 'text'", "--text-column", "did you mean 'txt'"],
        ),
        ("a.csv", b"text,text\nx,y\n", ["line 1", "2 columns 'text'"]),
        ("a.csv", b"text,b,b\nx,y,z\n", ["line 1", "2 columns 'b'", "rename"]),
        ("a.csv", b"text\n", ["no texts"]),
        ("a.csv", b"text,b\nx,y\nz\n", ["line 3", "expected 2 columns", "double quotes"]),
        ("a.csv", b'text,b\nx,y\n"z,1\n', ["line 3", "not valid quoting"]),
        ("a.tsv", b"text,b\nx,y\n", ["line 1", "1 column", "set --delimiter ','"]),
        (
            "a.jsonl",
            b'{"text": "x"}\n\n{"txt": "y"}\n',
            ["line 3", "no key 'text'", "did you mean 'txt'"],
        ),
        ("a.jsonl", b'{"text": null}\n', ["line 1", "'text'", "found null", "give the row a text"]),
        ("a.jsonl", b'{"text": 1}\n', ["line 1", "found int 1"]),
        ("a.jsonl", b'{"text": "x"}\n{"text": \n', ["line 2", "not valid JSON"]),
        ("a.jsonl", b'{"text": "\\ud800"}\n', ["line 1", "an invalid escape"]),
        ("a.jsonl", b"\n\n", ["no texts"]),
        ("a.parquet", b"text", ["cannot be read as Parquet"]),
        ("a.conll", b"a b\n\nc d\ne\n", ["line 4", "expected 2 columns"]),
        ("a.conll", b"\tb\n", ["line 1", "expected a word"]),
        ("a.conll", b"\n-DOCSTART-\n\n# c = d\n", ["no texts"]),
        ("a.conllu", b"1\tx\n", ["line 1", "10 columns"]),
        ("a.conllu", b"2" + b"\tx" * 9 + b"\n", ["line 1", "expected the id 1"]),
    ],
)
def test_faults_of_the_input(
    bundles: dict[str, Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    name: str,
    content: bytes,
    words: list[str],
) -> None:
    (tmp_path / name).write_bytes(content)
    message = fault(bundles["tagging"], tmp_path / name, tmp_path / "out.jsonl", capfd)
    assert str(tmp_path / name) in message
    for word in words:
        assert word in message


@pytest.mark.usefixtures("before_keras")
def test_faults_of_parquet_rows(
    bundles: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "a.parquet", tmp_path / "out.parquet"
    pq.write_table(pa.table({"text": ["x"] * 2000 + [None], "t": ["y"] * 2001}), file)
    message = fault(bundles["tagging"], file, out, capfd)
    assert f"{file}, row 2001: column 'text'" in message and "found null" in message
    message = fault(bundles["tagging"], file, out, capfd, "--text-column", "txt")
    assert "no column 'txt' (--text-column)" in message and "did you mean 'text'" in message
    raw = pa.array([b"a", b"\xff"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": ["x", "y"], "t": raw}), file)
    message = fault(bundles["tagging"], file, out, capfd, "--text-column", "t")
    assert "row 2, column 't'" in message and "byte 0xff" in message
    message = fault(bundles["tagging"], file, tmp_path / "out.csv", capfd)
    assert "column 't'" in message and "write .parquet" in message


@pytest.mark.usefixtures("before_keras")
def test_faults_of_paths(
    bundles: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bundle, out = bundles["classification"], tmp_path / "out.csv"
    file = write_texts(tmp_path / "in.csv", TEXTS)
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "link.csv").symlink_to(file)
    assert "no such file" in fault(bundle, tmp_path / "none.csv", out, capfd)
    assert "is a folder" in fault(bundle, tmp_path / "folder.csv", out, capfd)
    assert "not a regular file" in fault(bundle, tmp_path / "pipe.txt", out, capfd)
    assert "is a folder" in fault(bundle, file, tmp_path / "folder.csv", capfd)
    assert "is also INPUT" in fault(bundle, file, file, capfd)
    assert "is also INPUT" in fault(bundle, file, tmp_path / "link.csv", capfd)
    assert "is not a folder" in fault(bundle, file, file / "x" / "out.csv", capfd)
    assert "OUTPUT ends with one of .txt" in fault(bundle, file, tmp_path / "out.xlsx", capfd)
    assert "no such model folder" in fault(tmp_path / "none", file, out, capfd)


@pytest.mark.usefixtures("before_keras")
@pytest.mark.parametrize("task", ["classification", "language_modelling"])
@pytest.mark.parametrize("name", ["out.conll", "out.conllu"])
def test_tagged_words_need_a_tagger(
    bundles: dict[str, Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    task: str,
    name: str,
) -> None:
    file = write_texts(tmp_path / "in.txt", TEXTS)
    message = fault(bundles[task], file, tmp_path / name, capfd)
    assert task in message and "write .jsonl" in message


@pytest.mark.usefixtures("before_keras")
def test_permission_denied(
    bundles: dict[str, Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the tests' user may be root
    message = fault(
        bundles["tagging"], write_texts(tmp_path / "in.txt", TEXTS), tmp_path / "out.txt", capfd
    )
    assert "no permission" in message and str(tmp_path) in message


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".csv", ".parquet"])
def test_full_disk(
    bundles: dict[str, Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
) -> None:
    out = tmp_path / "out" / f"o{suffix}"

    @contextmanager
    def on_full_disk(target: Path) -> Iterator[Path]:
        with whole_file(target) as partial:
            partial.unlink()
            partial.symlink_to("/dev/full")
            yield partial

    monkeypatch.setattr(outputs, "whole_file", on_full_disk)
    file = write_texts(tmp_path / "in.txt", TEXTS)
    assert main(["predict", str(bundles["classification"]), str(file), str(out)]) == 2
    message = capfd.readouterr().err
    assert f"error: {out}: cannot be written" in message and "space" in message
    assert not list(out.parent.iterdir())


def test_file_that_changes_between_the_readings(
    bundles: dict[str, Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fault that shows only while predicting is the input's, not the output's."""
    file = write_texts(tmp_path / "in.txt", TEXTS)
    load = Predictor.of

    def spoil(bundle: Bundle, options: Options = DEFAULT) -> Predictor:
        file.write_bytes(b"good\n\xff\n")
        return load(bundle, options)

    monkeypatch.setattr(Predictor, "of", staticmethod(spoil))
    message = fault(bundles["classification"], file, tmp_path / "out.csv", capfd)
    assert message.startswith(f"error: {file}, line 2: byte 0xff")


@pytest.fixture
def replacing(bundles: dict[str, Path], tmp_path: Path) -> Path:
    """A tagger whose tokenizer replaces what it cannot decode."""
    import shutil

    folder = tmp_path / "replacing"
    shutil.copytree(bundles["tagging"], folder)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps({**tokenizer, "bad_bytes": "replace"}))
    bundle = json.loads((folder / "bundle.json").read_text())
    bundle["sha256"]["tokenizer.json"] = sha256(folder / "tokenizer.json")
    (folder / "bundle.json").write_text(json.dumps(bundle))
    return folder


def test_bad_bytes_are_replaced_where_the_bundle_says_so(replacing: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_bytes(b"Ann\xff in\nRome\0\n")
    predict(replacing, tmp_path / "in.txt", tmp_path / "out.jsonl")
    assert [row["text"] for row in read_table(tmp_path / "out.jsonl")] == [
        "Ann\ufffd in",
        "Rome\ufffd",
    ]
    (tmp_path / "in.jsonl").write_text('{"text": "A\\ud800 Ann"}\n')
    predict(replacing, tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    row = read_table(tmp_path / "out.jsonl")[0]
    assert row["text"].startswith("A\ufffd") and row["tokens"] == row["text"].split()
    raw = pa.array([b"Ann \xff"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": raw}), tmp_path / "in.parquet")
    predict(replacing, tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert read_table(tmp_path / "out.parquet")[0]["text"] == "Ann \ufffd"


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_interrupted(
    bundles: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sent: signal.Signals,
    status: int,
) -> None:
    predictor = Predictor.load(bundles["classification"])
    chunks = predictor.predict_chunk

    def interrupted(items: list[Any]) -> Iterator[Any]:
        yield from itertools.islice(chunks(items), 2)
        assert list((tmp_path / "out").glob(".*.partial"))
        os.kill(os.getpid(), sent)
        raise AssertionError("went on")

    monkeypatch.setattr(predictor, "predict_chunk", interrupted)
    before = signal.getsignal(signal.SIGTERM)
    file = write_texts(tmp_path / "in.txt", TEXTS)
    arguments = [
        "predict",
        str(bundles["classification"]),
        str(file),
        str(tmp_path / "out" / "o.csv"),
    ]
    if sent == signal.SIGTERM:
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == status
    else:
        # A process that a shell started in the background ignores Ctrl-C.
        old = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            assert main(arguments) == status
        finally:
            signal.signal(signal.SIGINT, old)
    assert not list((tmp_path / "out").iterdir())
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.slow
def test_nothing_heavy_before_the_files_are_read() -> None:
    import subprocess

    code = (
        "import sys, nlp_rnn.inference.batch; "
        "print(sorted({'keras', 'tensorflow', 'pandas', 'pyarrow'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"

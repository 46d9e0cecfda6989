"""How INPUT is read: options, what the bundle remembers, and what comes back from OUTPUT."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlp_rnn.cli import main
from nlp_rnn.config import FilesDataset
from nlp_rnn.corpora import open_corpus
from nlp_rnn.corpora.dialects import Dialect
from nlp_rnn.errors import UserError
from nlp_rnn.files import sha256
from nlp_rnn.inference import inputs, outputs, schema

QUIET = settings(
    deadline=None,
    derandomize=True,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def remembering(bundle: Path, folder: Path, reading: Any) -> Path:
    """A copy of ``bundle`` whose data card says how its tables were read."""
    target = folder / "remembering"
    shutil.copytree(bundle, target)
    card = json.loads((target / "data_card.json").read_text())
    (target / "data_card.json").write_text(json.dumps(card | {"reading": reading}))
    description = json.loads((target / "bundle.json").read_text())
    description["sha256"]["data_card.json"] = sha256(target / "data_card.json")
    (target / "bundle.json").write_text(json.dumps(description))
    return target


def predicted(bundle: Path, file: Path, *options: str) -> list[dict[str, Any]]:
    out = file.with_name("predicted.jsonl")
    assert main(["predict", str(bundle), str(file), str(out), *options]) == 0
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def fault(
    bundle: Path, file: Path, out: str, capfd: pytest.CaptureFixture[str], *options: str
) -> str:
    capfd.readouterr()
    assert main(["predict", str(bundle), str(file), str(file.with_name(out)), *options]) == 2
    assert not file.with_name(out).exists()
    message = capfd.readouterr().err
    assert message.startswith("error: ") and message.count("\n") == 1
    return message


def write(file: Path, content: str) -> Path:
    file.write_text(content, encoding="utf-8")
    return file


# --- options ------------------------------------------------------------------------


def test_a_tsv_keeps_its_stray_quotes(bundles: dict[str, Path], tmp_path: Path) -> None:
    texts = ['" so good', "bad", 'not good "']
    file = write(tmp_path / "in.tsv", "text\tid\n" + "".join(f"{text}\t1\n" for text in texts))
    assert [row["text"] for row in predicted(bundles["classification"], file)] == texts
    assert main(["predict", str(bundles["tagging"]), str(file), str(tmp_path / "out.tsv")]) == 0
    lines = (tmp_path / "out.tsv").read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[0] for line in lines[1:]] == texts


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ("good;1\nbad;2\n", ["--no-header", "--delimiter", ";", "--text-column", "0"]),
        ("1\tgood\n2\tbad\n", ["--no-header", "--delimiter", "tab", "--text-column", "-1"]),
        ("body|id\ngood|1\nbad|2\n", ["--delimiter", "|", "--text-column", "body"]),
        ("body,id\ngood,1\nbad,2\n", ["--text-column", "0"]),
    ],
)
def test_dialects_are_options(
    bundles: dict[str, Path], tmp_path: Path, content: str, options: list[str]
) -> None:
    rows = predicted(bundles["classification"], write(tmp_path / "in.csv", content), *options)
    found = [row.get("text", row.get("body")) for row in rows]
    assert found == ["good", "bad"]


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_advice_on_the_delimiter_works(
    bundles: dict[str, Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    suffix: str,
    delimiter: str,
) -> None:
    file = write(tmp_path / f"in{suffix}", f"text{delimiter}id\na, b{delimiter}1\n")
    if delimiter == ",":
        file = write(file, "text,id\na b,1\n")
    if delimiter != {".csv": ",", ".tsv": "\t"}[suffix]:
        message = fault(bundles["classification"], file, "out.jsonl", capfd)
        written = "tab" if delimiter == "\t" else f"'{delimiter}'"
        assert f"set --delimiter {written}" in message
    rows = predicted(bundles["classification"], file, "--delimiter", delimiter)
    assert [row["id"] for row in rows] == ["1"]


def test_other_advice_names_options(
    bundles: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bundle = bundles["classification"]
    file = write(tmp_path / "in.csv", 'text,id\n"a,1\n')
    assert "set --quoting none" in fault(bundle, file, "out.jsonl", capfd)
    assert len(predicted(bundle, file, "--quoting", "none")) == 1
    file = write(tmp_path / "in.csv", "a,1\nb,2\n")
    assert "set --text-column 0" in fault(bundle, file, "out.jsonl", capfd, "--no-header")
    assert len(predicted(bundle, file, "--no-header", "--text-column", "0")) == 2


@pytest.mark.parametrize("name", ["in.txt", "in.csv", "in.jsonl", "in.conll"])
def test_bad_bytes_may_be_replaced(
    bundles: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    content = {
        "in.txt": b"Ann\xff\n",
        "in.csv": b"text,id\nAnn\xff,1\n",
        "in.jsonl": b'{"text": "Ann\xff"}\n',
        "in.conll": b"Ann\xff O\n",
    }[name]
    (tmp_path / name).write_bytes(content)
    message = fault(bundles["tagging"], tmp_path / name, "out.jsonl", capfd)
    assert "set --bad-bytes replace" in message and "tokenizer" not in message
    rows = predicted(bundles["tagging"], tmp_path / name, "--bad-bytes", "replace")
    assert [row["text"] for row in rows] == ["Ann\ufffd"]


def test_score_and_rank_read_alike(bundles: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b"1;the cat\xff\r2;the dog\r")
    options = ["--no-header", "--delimiter", ";", "--text-column", "1", "--bad-bytes", "replace"]
    for command in ("score", "rank"):
        out = tmp_path / f"{command}.jsonl"
        model = str(bundles["language_modelling"])
        assert main([command, model, str(tmp_path / "in.csv"), str(out), *options]) == 0
        assert out.stat().st_size


@pytest.mark.parametrize("name", ["in.jsonl", "in.txt", "in.parquet"])
@pytest.mark.parametrize("options", [["--delimiter", ";"], ["--no-header"], ["--quoting", "none"]])
def test_options_of_tables_are_for_csv_and_tsv(
    bundles: dict[str, Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    name: str,
    options: list[str],
) -> None:
    file = write(tmp_path / name, '{"text": "a"}\n')
    message = fault(bundles["classification"], file, "out.jsonl", capfd, *options)
    assert f"{options[0]} is for .csv and .tsv" in message


# --- what the bundle remembers ------------------------------------------------------


def test_the_column_of_training_is_the_default(
    bundles: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    reading = {"format": "jsonl", "text_column": "body"}
    bundle = remembering(bundles["classification"], tmp_path, reading)
    both = write(tmp_path / "in.csv", "text,body\na,good\n")
    out = predicted(bundle, both)
    assert out == predicted(bundle, both, "--text-column", "body")
    plain = write(tmp_path / "plain.csv", "body\ngood\n")
    assert out[0]["probability"] == predicted(bundle, plain)[0]["probability"]
    pq.write_table(pa.table({"body": ["good"]}), tmp_path / "in.parquet")
    assert len(predicted(bundle, tmp_path / "in.parquet")) == 1
    assert len(predicted(bundle, write(tmp_path / "in.jsonl", '{"body": "good"}\n'))) == 1
    # A table without that column may have the usual one.
    assert len(predicted(bundle, write(tmp_path / "in.csv", "text,id\na,1\n"))) == 1
    message = fault(bundle, write(tmp_path / "in.csv", "bdy,id\na,1\n"), "out.csv", capfd)
    assert "no column 'body' (--text-column); did you mean 'bdy'?" in message


def test_the_dialect_of_training_is_the_default_for_its_format(
    bundles: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    reading = {
        "format": "csv",
        "text_column": 1,
        "header": False,
        "delimiter": ";",
        "quoting": "none",
    }
    bundle = remembering(bundles["classification"], tmp_path, reading)
    file = write(tmp_path / "in.csv", '1;"good\n2;bad\n')
    assert [row["text"] for row in predicted(bundle, file)] == ['"good', "bad"]
    # Predictions in that format read back, although they have a header.
    assert main(["predict", str(bundle), str(file), str(tmp_path / "again.csv")]) == 0
    assert (tmp_path / "again.csv").read_text().startswith("0;text;label;")
    assert [row["text"] for row in predicted(bundle, tmp_path / "again.csv")] == ['"good', "bad"]
    # A file with another delimiter is recognised all the same.
    message = fault(bundle, write(tmp_path / "comma.csv", "1,good\n2,bad\n"), "out.jsonl", capfd)
    assert "set --delimiter ','" in message
    # Another format has its own dialect, and options come first.
    file = write(tmp_path / "in.tsv", "text\tid\ngood\t1\n")
    assert [row["text"] for row in predicted(bundle, file)] == ["good"]
    file = write(tmp_path / "in.csv", "id,body\n1,good\n")
    options = ["--header", "--delimiter", ",", "--text-column", "body"]
    assert [row["body"] for row in predicted(bundle, file, *options)] == ["good"]


@pytest.mark.parametrize("reading", [1, [], {"text_column": []}, {"quoting": "x"}, {"header": "?"}])
def test_a_memory_that_cannot_be(
    bundles: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str], reading: Any
) -> None:
    bundle = remembering(bundles["classification"], tmp_path, reading)
    message = fault(bundle, write(tmp_path / "in.txt", "a\n"), "out.jsonl", capfd)
    assert "data_card.json" in message


# --- what is written reads back -----------------------------------------------------


def test_a_tsv_refuses_what_it_cannot_hold_before_predicting(
    bundles: dict[str, Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from nlp_rnn.inference.predictor import Predictor

    monkeypatch.setattr(Predictor, "of", staticmethod(lambda bundle: pytest.fail("too late")))
    for held, words in (("a\tb", "a tab"), ("a\nb", "a line break"), ("a\rb", "a line break")):
        file = write(tmp_path / "in.jsonl", json.dumps({"text": held}) + "\n")
        message = fault(bundles["classification"], file, "out.tsv", capfd)
        assert f"out.tsv: cannot hold the value {held!r}, because it contains {words}" in message


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
PREDICTION = {"label": 'a "b"', "probability": 0.1, "probabilities": {"x": 0.1, "y, z": 0.9}}
COLUMNS = schema.of_classifier(review=False)


def write_predictions(file: Path, source: inputs.Source) -> None:
    known = inputs.survey(source, True, lambda texts: None)
    with outputs.open_writer(str(file), file.suffix, known.columns, COLUMNS) as writer:
        for chunk in source.chunks():
            writer.write(chunk, [PREDICTION for _ in chunk.items])


def texts_of(file: Path) -> list[str]:
    source = inputs.open_source(str(file), "text", "error")
    return [str(item) for chunk in source.chunks() for item in chunk.items]


@pytest.mark.slow
@QUIET
@given(st.lists(TEXTS, min_size=1, max_size=4))
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_predictions_read_back_here_in_training_and_elsewhere(
    tmp_path: Path, suffix: str, texts: list[str]
) -> None:
    if suffix == ".tsv":
        texts = [text.translate({9: " ", 10: " ", 13: " "}) for text in texts]
    start = write(
        tmp_path / "in.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in texts)
    )
    out = tmp_path / f"out{suffix}"
    write_predictions(out, inputs.open_source(str(start), "text", "error"))
    assert texts_of(out) == texts
    section = {"source": "files", "format": suffix[1:], "train": out.name}
    corpus = open_corpus("mine", FilesDataset.model_validate(section), tmp_path)
    found = [(each.text, each.label) for each in corpus.read("train")]
    assert found == [(text, 'a "b"') for text in texts]
    assert independent(out) == texts


def independent(file: Path) -> list[str]:
    """The texts as other software reads them."""
    match file.suffix:
        case ".csv":
            frame = pd.read_csv(file, dtype=str, keep_default_na=False, lineterminator=None)
            with file.open(encoding="utf-8", newline="") as stream:
                rows = [row["text"] for row in csv.DictReader(stream, strict=True)]
            # pandas takes a CR within quotes for an LF now and then; Python's csv does not.
            assert len(frame) == len(rows)
            return rows
        case ".tsv":
            with file.open(encoding="utf-8", newline="\n") as stream:
                reader = csv.reader(
                    (line for line in stream), delimiter="\t", quoting=csv.QUOTE_NONE
                )
                header, *lines = reader
            return [line[header.index("text")] for line in lines]
        case ".jsonl":
            lines_ = file.read_text(encoding="utf-8").split("\n")[:-1]
            return [json.loads(line)["text"] for line in lines_]
        case _:
            return pq.read_table(file)["text"].to_pylist()


@QUIET
@given(
    st.lists(TEXTS.map(lambda text: text.translate({10: None, 13: None})), min_size=1, max_size=5)
)
def test_a_line_is_an_answer(tmp_path: Path, texts: list[str]) -> None:
    texts = [text.lstrip("\ufeff") for text in texts]
    start = write(tmp_path / "in.txt", "".join(text + "\n" for text in texts))
    assert texts_of(start) == texts
    write_predictions(tmp_path / "out.txt", inputs.open_source(str(start), "text", "error"))
    assert texts_of(tmp_path / "out.txt") == ['a "b"'] * len(texts)


@QUIET
@given(
    st.text(st.sampled_from('ab"\t,;|\r\n '), max_size=40),
    st.sampled_from(["csv", "tsv"]),
    st.sampled_from([None, "double", "none"]),
    st.sampled_from([None, ",", ";", "\t"]),
)
def test_training_and_prediction_see_the_same_texts(
    tmp_path: Path, content: str, format: str, quoting: Any, delimiter: str | None
) -> None:
    """Any table that both can read, and neither alone."""
    first = delimiter or ("," if format == "csv" else "\t")
    file = tmp_path / f"in.{format}"
    with file.open("w", encoding="utf-8", newline="") as stream:
        stream.write(f"text{first}label\n" + content)
    section = {
        "source": "files",
        "format": format,
        "train": file.name,
        "quoting": quoting,
        "delimiter": delimiter,
        "label_column": 1,
    }
    dialect = Dialect.of(format, delimiter, quoting)  # type: ignore[arg-type]
    corpus = open_corpus("mine", FilesDataset.model_validate(section), tmp_path)
    source = inputs.open_source(str(file), "text", "error", dialect)
    predicted: list[str] | str
    try:
        predicted = [str(item) for chunk in source.chunks() for item in chunk.items]
    except UserError as error:
        predicted = str(error)
    trained: list[str] | str
    try:
        trained = [each.text for each in corpus.read("train")]
    except UserError as error:
        trained = str(error)
    if isinstance(trained, str) and ("expected a label" in trained or "no example" in trained):
        return
    if isinstance(trained, str) and "a label contains a line break" in trained:
        return
    assert trained == predicted


# --- pyfunc -------------------------------------------------------------------------


def test_lists_are_segmented_sentences_of_a_tagger_alone(bundles: dict[str, Path]) -> None:
    from nlp_rnn.tracking.pyfunc import BundleModel

    words = ["Ann", "sleeps"]
    tagger = BundleModel.of(bundles["tagging"])
    frame = pd.DataFrame({"text": [words, "Ann sleeps", None]})
    found = tagger.predict(None, frame)
    assert found["tokens"][0] == words
    assert found["tags"][0] == found["tags"][1]
    assert found["tokens"][2] == []
    classifier = BundleModel.of(bundles["classification"])
    for value in (words, {"a": 1}, {"a"}):
        with pytest.raises(UserError, match="row 1, column 'text': expected a text, found"):
            classifier.predict(None, pd.DataFrame({"text": ["good", value]}))
    with pytest.raises(UserError, match="expected a text or a list of words"):
        tagger.predict(None, pd.DataFrame({"text": [["Ann", 3]]}))

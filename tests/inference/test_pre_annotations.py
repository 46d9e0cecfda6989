"""Predictions as annotation tools import them, and texts in the formats that they export."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

import nlp_rnn
from nlp_rnn.cli import main
from nlp_rnn.corpora.annotations import (
    AnnotatedText,
    Offsets,
    brat,
    doccano,
    label_studio,
    prodigy,
    webanno,
)

TEXTS = ["Ann Lee sleeps in 🙂 New York", "", "Rome", "e\u0301 Ann 👩‍👩‍👧 Lee"]
READ = {
    "prodigy": prodigy.read,
    "doccano": doccano.read,
    "label-studio": label_studio.read,
    "brat": brat.read,
    "webanno": webanno.read,
}


@pytest.fixture(scope="module")
def expected(tagger: Path) -> list[list[tuple[str, int, int]]]:
    found = nlp_rnn.load(tagger).predict(TEXTS)
    entities = [[(e["type"], e["start"], e["end"]) for e in each["entities"]] for each in found]
    assert sum(map(len, entities)) > 3
    return entities


def predict(*arguments: object) -> None:
    assert main(["predict", *map(str, arguments)]) == 0


def texts_file(folder: Path, texts: list[str] = TEXTS) -> Path:
    file = folder / "in.jsonl"
    rows = [{"text": text, "id": number} for number, text in enumerate(texts)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def accepted(file: Path) -> None:
    """Make the predictions of Label Studio annotations, as a person does who accepts them."""
    tasks = json.loads(file.read_text(encoding="utf-8"))
    for task in tasks:
        task["annotations"] = [{"result": task["predictions"][0]["result"]}]
    file.write_text(json.dumps(tasks))


def plain(texts: list[AnnotatedText]) -> list[tuple[str, list[tuple[str, int, int]]]]:
    return [(t.text, [(s.type, s.start, s.end) for s in t.spans]) for t in texts]


@pytest.mark.slow
@pytest.mark.parametrize("format", READ)
@pytest.mark.parametrize("offsets", ["characters", "utf16"])
def test_pre_annotations_are_read_as_the_entities_that_were_predicted(
    tagger: Path, expected: Any, tmp_path: Path, format: str, offsets: Any
) -> None:
    out = tmp_path / "out"
    predict(tagger, texts_file(tmp_path), out, "--format", format, "--offsets", offsets)
    if format == "label-studio":
        accepted(out)
    found = plain(list(READ[format](out, "error", unit=offsets)))
    wanted = list(zip(TEXTS, expected, strict=True))
    assert found == ([each for each in wanted if each[0]] if format == "webanno" else wanted)
    assert {file.name for file in tmp_path.iterdir()} == {"in.jsonl", "out"}


def test_offsets_count_as_each_tool_does(tagger: Path, expected: Any, tmp_path: Path) -> None:
    source = texts_file(tmp_path, TEXTS[:1])
    spans = [(Offsets(TEXTS[0], "utf16").unit(start), start) for _, start, _ in expected[0]]
    assert any(unit != character for unit, character in spans)
    predict(tagger, source, tmp_path / "d", "--format", "doccano")
    (record,) = map(json.loads, (tmp_path / "d").read_text().splitlines())
    assert [span[0] for span in record["label"]] == [character for _, character in spans]
    predict(tagger, source, tmp_path / "w", "--format", "webanno")
    rows = [
        line.split("\t")[1] for line in (tmp_path / "w").read_text().splitlines() if "\t" in line
    ]
    assert {str(unit) for unit, _ in spans} <= {row.partition("-")[0] for row in rows}


def test_other_columns_and_probabilities_are_kept(tagger: Path, tmp_path: Path) -> None:
    source = texts_file(tmp_path)
    for format in ("prodigy", "doccano", "label-studio"):
        predict(tagger, source, tmp_path / format, "--format", format)
    entities = [each["entities"] for each in nlp_rnn.load(tagger).predict(TEXTS)]
    probabilities = [[e["probability"] for e in each] for each in entities]
    lines = [json.loads(line) for line in (tmp_path / "prodigy").read_text().splitlines()]
    assert [line["id"] for line in lines] == [0, 1, 2, 3]
    assert [[span["score"] for span in line["spans"]] for line in lines] == probabilities
    lines = [json.loads(line) for line in (tmp_path / "doccano").read_text().splitlines()]
    assert [sorted(line) for line in lines] == [["id", "label", "text"]] * 4
    tasks = json.loads((tmp_path / "label-studio").read_text())
    assert [task["data"]["id"] for task in tasks] == [0, 1, 2, 3]
    results = [task["predictions"][0]["result"] for task in tasks]
    assert [[region["score"] for region in each] for each in results] == probabilities


def test_texts_of_every_tool_are_predicted(tagger: Path, expected: Any, tmp_path: Path) -> None:
    """What was written in a format is an input again, with the same entities."""
    source = texts_file(tmp_path)
    names = {
        "prodigy": "p.jsonl",
        "doccano": "d.jsonl",
        "label-studio": "l.json",
        "brat": "brat",
        "webanno": "w.tsv",
    }
    for format, name in names.items():
        predict(tagger, source, tmp_path / name, "--format", format)
        predict(tagger, tmp_path / name, tmp_path / "again.jsonl")
        rows = map(json.loads, (tmp_path / "again.jsonl").read_text(encoding="utf-8").splitlines())
        found = {
            row["text"]: [(e["type"], e["start"], e["end"]) for e in row["entities"]]
            for row in rows
        }
        wanted = dict(zip(TEXTS, expected, strict=True))
        if format == "webanno":
            del wanted[""]
        assert found == wanted
    predict(tagger, tmp_path / "brat", tmp_path / "brat2", "--format", "brat")
    files = [sorted(p.name for p in (tmp_path / name).iterdir()) for name in ("brat", "brat2")]
    assert files[0] == files[1]
    assert files[0][:2] == ["000001.ann", "000001.txt"]


def test_damaged_exports_of_webanno_are_errors_of_one_line(
    tagger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "w.tsv", tmp_path / "out.jsonl"
    predict(tagger, texts_file(tmp_path), file, "--format", "webanno")
    capsys.readouterr()
    raw, rng = file.read_bytes(), random.Random(1)
    for _ in range(20):
        file.write_bytes(raw[: rng.randrange(40, len(raw))] + bytes([rng.randrange(256)]))
        out.unlink(missing_ok=True)
        status = main(["predict", str(tagger), str(file), str(out)])
        (said,) = capsys.readouterr().err.splitlines()
        assert (status == 2) == said.startswith("error: ")
        assert out.exists() == (status == 0)


@pytest.mark.parametrize(
    ("model", "input", "output", "options", "says"),
    [
        ("classification", "in.jsonl", "o", ["--format", "webanno"], "is for entities"),
        ("tagging", "in.jsonl", "-", ["--format", "brat"], "name a folder"),
        ("tagging", "in.jsonl", "-", ["--format", "csv"], "standard output: cannot hold"),
        ("tagging", "in.jsonl", "full", ["--format", "brat"], "exists; name a new folder"),
        ("tagging", "in.jsonl", "in.jsonl", ["--format", "prodigy"], "is also INPUT"),
        ("tagging", "in.jsonl", "o.csv", ["--offsets", "utf16"], "--offsets: is for"),
        ("tagging", "in.jsonl", "o", ["--format", "prodigy", "--review-below", ".5"], "no place"),
        ("sequence_to_sequence", "in.jsonl", "o.txt", ["--n-best", "2"], "no place for --n-best"),
        ("tagging", "empty", "o.csv", [], "is a folder without files .txt"),
        ("tagging", "bad.json", "o.csv", [], "bad.json: expected a list of tasks"),
        ("tagging", "text.json", "o.csv", [], "task 1: no key 'text' .*did you mean 'txt'"),
        ("tagging", "in.jsonl", "o.xml", [], "suffix '.xml'"),
    ],
)
def test_what_cannot_be_written_or_read(
    bundles: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    model: str,
    input: str,
    output: str,
    options: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    texts_file(tmp_path)
    Path("empty").mkdir()
    Path("full").mkdir()
    Path("full", "mine.txt").write_text("mine")
    Path("bad.json").write_text("{}")
    Path("text.json").write_text('[{"data": {"txt": "Ann"}}]')
    before = {str(path) for path in tmp_path.rglob("*")}
    assert main(["predict", str(bundles[model]), input, output, *options]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert re.search(says, said)
    assert {str(path) for path in tmp_path.rglob("*")} == before


def test_standard_output_takes_lines(
    tagger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predict(tagger, texts_file(tmp_path), "-", "--format", "prodigy")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["text"] for line in lines] == TEXTS
    predict(tagger, texts_file(tmp_path), tmp_path / "table", "--format", "csv")
    assert (tmp_path / "table").read_text(encoding="utf-8").startswith("text,id,tokens,")

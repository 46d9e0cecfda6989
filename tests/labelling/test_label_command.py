"""``nlp-rnn label`` and ``nlp-rnn labelled``: from unlabelled texts into the data set and back."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import nlp_rnn
from helpers.bundles import write_untrained
from nlp_rnn.cli import main
from nlp_rnn.example import Example

TEXTS = ["a bad film", "good , not bad", "", "at all", "good", "a bad film", "film film film"]

OWN = {"source": "files", "train": "./first.csv", "format": "csv"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with texts, and a project that has a data set of each kind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NLP_RNN_DATA", raising=False)
    Path("texts.txt").write_text("".join(text + "\n" for text in TEXTS))
    Path("data/raw").mkdir(parents=True)
    Path("data/raw/first.jsonl").write_text('{"text": "a", "label": "x"}\n')
    datasets: dict[str, Any] = {
        "reviews": OWN | {"text_column": "message", "label_column": "team"},
        "bare": OWN | {"header": False, "text_column": 3, "label_column": 1},
        "lines": OWN | {"format": "jsonl", "train": "first.jsonl"},
        "topics": OWN | {"label_separator": "|"},
        "names": OWN | {"format": "conll", "train": ["first.conll"]},
        "marked": OWN | {"format": "doccano"},
        "built-in": {"source": "grammar", "corpus": "reviews", "sizes": {}},
    }
    datasets["built-in"]["sizes"] = dict.fromkeys(("train", "validation", "test"), 5)
    YAML().dump({"datasets": datasets}, tmp_path / "params.yaml")
    return tmp_path


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tagger with random weights, which finds entities."""
    examples = [Example(tokens=("Ann", "Lee", "sleeps"), tags=("B-PER", "I-PER", "O"))]
    made = tmp_path_factory.mktemp("tagger")
    model = {"output": "crf", "units": 12}
    return write_untrained(made, "tagging", "tagged", examples, model, scale=1.0)


def label(*arguments: object) -> None:
    assert main(["label", *map(str, arguments)]) == 0


def labelled(*arguments: object) -> None:
    assert main(["labelled", *map(str, arguments)]) == 0


def rows(file: str) -> list[dict[str, str]]:
    with Path(file).open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_most_uncertain_texts_come_first_and_each_once(
    bundles: dict[str, Path], folder: Path
) -> None:
    label(bundles["classification"], "texts.txt", "todo.csv", "--by", "least-confidence")
    found = rows("todo.csv")
    assert sorted(row["text"] for row in found) == sorted({*TEXTS} - {""})
    scores = [float(row["score"]) for row in found]
    assert scores == sorted(scores, reverse=True)
    probabilities = [float(row["probability"]) for row in found]
    assert scores == pytest.approx([1 - each for each in probabilities], abs=1e-6)


def test_labelled_texts_and_a_number_are_heeded(bundles: dict[str, Path], folder: Path) -> None:
    Path("done.csv").write_text("text,label\nat all,positive\ngood,negative\n")
    for by in ("random", "margin", "k-center", "k-means"):
        label(
            *(bundles["classification"], "texts.txt", f"{by}.csv", "--number", 2, "--by", by),
            *("--labelled", "done.csv", "--vectors", "tf-idf")[: 4 if by[0] == "k" else 2],
        )
        found = {row["text"] for row in rows(f"{by}.csv")}
        assert len(found) == 2
        assert not found & {"at all", "good", ""}


def test_models_that_agree_disagree_nowhere(bundles: dict[str, Path], folder: Path) -> None:
    model = bundles["classification"]
    label(model, model, "texts.txt", "todo.jsonl", "--by", "vote-entropy")
    scores = [json.loads(line)["score"] for line in Path("todo.jsonl").read_text().splitlines()]
    assert scores == [0] * 5


@pytest.mark.parametrize("tool", ["prodigy", "doccano", "label-studio"])
@pytest.mark.parametrize("dataset", ["reviews", "bare", "lines"])
def test_suggested_labels_go_through_a_tool_into_the_data_set(
    bundles: dict[str, Path], folder: Path, tool: str, dataset: str
) -> None:
    label(bundles["classification"], "texts.txt", "todo", "--format", tool)
    export = f"export.{'json' if tool == 'label-studio' else 'jsonl'}"
    Path(export).write_text(as_exported(tool, Path("todo").read_text()))
    labelled(export, dataset, "out")
    texts = sorted({*TEXTS} - {""})
    said = {
        text: each["label"]
        for text, each in zip(
            texts, nlp_rnn.load(bundles["classification"]).predict(texts), strict=True
        )
    }
    lines = Path("out").read_text().splitlines()
    if dataset == "lines":
        found = {row["text"]: row["label"] for row in map(json.loads, lines)}
    elif dataset == "bare":
        found = {row[3]: row[1] for row in csv.reader(lines)}
    else:
        found = {row["message"]: row["team"] for row in csv.DictReader(lines)}
    assert found == said


def as_exported(tool: str, written: str) -> str:
    """What a tool exports if a person accepts all suggestions."""
    if tool != "label-studio":
        answer = {"answer": "accept"} if tool == "prodigy" else {"id": 7}
        return "".join(json.dumps(json.loads(x) | answer) + "\n" for x in written.splitlines())
    tasks = json.loads(written)
    for task in tasks:
        task["annotations"] = [{"result": task.pop("predictions")[0]["result"]}]
    return json.dumps(tasks)


@pytest.fixture
def asked(folder: Path) -> Path:
    """A project on doccano's labels of whole texts, which are under a key of their own."""
    Path("first.jsonl").write_text('{"body": "a", "label": ["x"]}\n{"body": "b", "label": ["y"]}\n')
    chosen = {"source": "files", "format": "doccano", "kind": "labelled", "train": "./first.jsonl"}
    YAML().dump({"datasets": {"asked": chosen | {"text_column": "body"}}}, folder / "params.yaml")
    return folder


def test_labels_of_whole_texts_are_read_back_under_the_key_of_the_data_set(
    asked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("more.jsonl").write_text('{"body": "c", "label": ["x"]}\n')
    labelled("more.jsonl", "asked", "good.jsonl")
    assert Path("good.jsonl").read_text() == Path("more.jsonl").read_text()
    Path("more.jsonl").write_text('{"text": "c", "label": ["x"]}\n')
    assert main(["labelled", "more.jsonl", "asked", "bad.jsonl"]) == 2
    assert "under 'text', and the data set under 'body'" in capsys.readouterr().err
    assert not Path("bad.jsonl").exists()


@pytest.mark.parametrize(("second", "status"), [('["x", "y"]', 0), ('["y"]', 2)])
def test_whether_texts_have_several_labels_shows_in_the_data_set(
    asked: Path, second: str, status: int
) -> None:
    """Before it is prepared."""
    lines = f'{{"body": "a", "label": ["x"]}}\n{{"body": "b", "label": {second}}}\n'
    Path("first.jsonl").write_text(lines)
    Path("more.jsonl").write_text('{"body": "c", "label": []}\n')
    assert main(["labelled", "more.jsonl", "asked", "out.jsonl"]) == status


@pytest.mark.parametrize("tool", ["prodigy", "doccano", "label-studio", "brat", "webanno"])
def test_suggested_entities_go_through_a_tool_into_the_data_set(
    tagger: Path, folder: Path, tool: str
) -> None:
    Path("texts.txt").write_text("Ann sleeps\nLee Ann\n\n")
    suffix = {"label-studio": "json", "webanno": "tsv", "brat": ""}.get(tool, "jsonl")
    file = f"todo.{suffix}".rstrip(".")
    label(tagger, "texts.txt", file, "--format", tool)
    if tool in ("prodigy", "label-studio"):
        Path(file).write_text(as_exported(tool, Path(file).read_text()))
    labelled(file, "names", "out.conll")
    found = {}
    for sentence in Path("out.conll").read_text().strip().split("\n\n"):
        columns = [line.split("\t") for line in sentence.splitlines()]
        found[tuple(word for word, _ in columns)] = [tag for _, tag in columns]
    texts = ["Ann sleeps", "Lee Ann"]
    for text, said in zip(texts, nlp_rnn.load(tagger).predict(texts), strict=True):
        assert found[tuple(text.split())] == said["tags"]
    assert len(found) == 2


def test_a_file_in_the_format_of_the_data_set_is_copied(tagger: Path, folder: Path) -> None:
    Path("texts.txt").write_text("Ann sleeps\n")
    label(tagger, "texts.txt", "todo.jsonl", "--format", "doccano")
    labelled("todo.jsonl", "marked", "again.jsonl")
    assert Path("again.jsonl").read_text() == Path("todo.jsonl").read_text()


def test_corrected_tables_are_read_and_the_next_step_is_said(
    bundles: dict[str, Path], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    label(bundles["classification"], "texts.txt", "todo.csv", "--number", 1)
    (row,) = rows("todo.csv")
    text = row["text"]
    with Path("done.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, row)
        writer.writeheader()
        writer.writerow(row | {"label": "new"})
    labelled("done.csv", "reviews", "data/raw/round-1.csv")
    assert rows("data/raw/round-1.csv") == [{"message": text, "team": "new"}]
    said = capsys.readouterr().err
    assert "1 texts are in data/raw/round-1.csv: new 1" in said
    assert "set datasets.reviews.train: [./first.csv, round-1.csv]" in said


def test_any_number_of_labels_is_joined(folder: Path) -> None:
    lines = [{"text": "a", "label": ["x", "y"]}, {"text": "b", "label": []}]
    Path("done.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    labelled("done.jsonl", "topics", "out.csv", "--format", "doccano")
    assert rows("out.csv") == [{"text": "a", "label": "x|y"}, {"text": "b", "label": ""}]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["{lm}", "texts.txt", "o.csv"], "a model for language_modelling; texts can be chosen for"),
        (["{c}", "texts.txt", "o.csv", "--by", "kl"], "--by kl: compares several models"),
        (["{c}", "{t}", "texts.txt", "o.csv"], "a model for tagging, but"),
        (["{c}", "texts.txt", "o.csv", "--among", "9"], "--among is for --by k-means and"),
        (["{c}", "texts.txt", "o.csv", "--by", "kl", "--per-word"], "--by kl: compares"),
        (["{c}", "texts.txt", "o", "--format", "brat"], "write prodigy, doccano, label-studio"),
        (["{c}", "empty.txt", "o.csv"], "has no text that has words"),
        (["{c}", "texts.txt", "texts.txt"], "is also INPUT"),
        (["nowhere", "texts.txt", "o.csv"], "no such model folder"),
    ],
)
def test_what_cannot_be_chosen(
    bundles: dict[str, Path],
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    says: str,
) -> None:
    Path("empty.txt").write_text("\n \n")
    places = {"lm": "language_modelling", "c": "classification", "t": "tagging"}
    named = {key: str(bundles[task]) for key, task in places.items()}
    assert main(["label", *(each.format(**named) for each in arguments)]) == 2
    (said,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert says in said
    assert not Path("o.csv").exists()


@pytest.mark.parametrize(
    ("dataset", "written", "options", "says"),
    [
        ("built-in", "text,label\na,b\n", [], "is no data set of labelled or tagged files"),
        ("marked", "text,label\na,b\n", [], "holds labelled examples, and the data set tagged"),
        ("reviews", "text,labl\na,b\n", [], "done.csv, line 1: no column 'label' (--label-column)"),
        ("reviews", "text;label\na;b\n", [], "--delimiter"),
        ("lost", "", [], "no data set 'lost'"),
        (
            "reviews",
            '{"text": "a", "accept": [], "answer": "reject"}\n',
            ["--format", "prodigy"],
            "holds no labelled text",
        ),
        ("names", "text,label\na,b\n", [], "holds labelled examples, and the data set tagged"),
        ("reviews", '{"text": "a", "label": ["x", "y"]}\n', ["--format", "doccano"], "2 labels"),
    ],
)
def test_what_cannot_be_read_back(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    dataset: str,
    written: str,
    options: list[str],
    says: str,
) -> None:
    Path("done.csv").write_text(written)
    assert main(["labelled", "done.csv", dataset, "out", *options]) == 2
    assert says in capsys.readouterr().err
    assert not Path("out").exists()

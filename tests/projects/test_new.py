"""``nlp-rnn new``: a project for each kind of file, and errors that say how to settle a doubt."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from nlp_rnn.cli import main
from nlp_rnn.config import FilesDataset, Parameters, SequenceToSequenceExperiment, load
from nlp_rnn.files import read_json
from nlp_rnn.projects import versions
from nlp_rnn.projects.builtin import BUILT_IN
from nlp_rnn.stages import prepare

CASES = Path(os.environ.get("NLP_RNN_DATA", ".")).resolve().parent / "cases/people"
"""Files that went wrong elsewhere; they lie beside the folder of real data, where they are."""

GOOD, BAD = ("good", "great", "fine", "lovely"), ("bad", "poor", "dull", "awful")


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Git and DVC, which have tests of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(versions, "set_up", lambda folder: iter(()))


def reviews(count: int = 60) -> list[tuple[str, str]]:
    draw = random.Random(1)
    rows = []
    for i in range(count):
        label, words = (("positive", GOOD), ("negative", BAD))[i % 2]
        rows.append((f"a {draw.choice(words)} film, number {i}, {draw.choice(words)}", label))
    return rows


def sentences(count: int = 40) -> list[list[tuple[str, str]]]:
    draw = random.Random(1)
    return [
        [(draw.choice(["Ann", "Bob"]), "B-PER"), ("Lee", "I-PER"), ("saw", "O"), (f"x{i}", "O")]
        for i in range(count)
    ]


def table(separator: str, header: str = "text{}label\n") -> str:
    rows = (f'"{text}"{separator}{label}\n' for text, label in reviews())
    return header.format(separator) + "".join(rows)


def tsv() -> str:
    return "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in reviews())


def jsonl() -> str:
    return "".join(
        json.dumps({"review": t, "stars": 1 + len(c[:4].strip("n"))}) + "\n" for t, c in reviews()
    )


def conll(columns: Callable[[int, str, str], str] = lambda i, w, t: f"{w}\t{t}") -> str:
    return "".join(
        "".join(columns(i, *pair) + "\n" for i, pair in enumerate(sentence, 1)) + "\n"
        for sentence in sentences()
    )


def token_lists() -> str:
    rows = ([*zip(*sentence, strict=True)] for sentence in sentences())
    return "".join(
        json.dumps({"id": i, "tokens": words, "ner_tags": tags}) + "\n"
        for i, (words, tags) in enumerate(rows)
    )


def conllu() -> str:
    return conll(lambda i, word, tag: f"{i}\t{word}\t_\t{tag[:1]}X\t_\t_\t0\t_\t_\t_")


def new(name: str, *arguments: str) -> Parameters:
    assert main(["new", name, *arguments]) == 0
    text = Path(name, "params.yaml").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    return load(Path(name, "params.yaml"))


def data_set(parameters: Parameters) -> FilesDataset:
    (found,) = parameters.datasets.values()
    assert isinstance(found, FilesDataset)
    return found


def check_and_prepare(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The data card."""
    monkeypatch.chdir(name)
    assert main(["check"]) == 0
    prepare(name)
    return read_json(Path("data/prepared", name, "card.json"), "")


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line of an error, after which nothing has been written."""
    assert main(["new", "p", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert not Path("p").exists()
    assert not list(Path().glob(".p*"))
    return error


FILES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "comma": ("r.csv", table(","), {"format": "csv", "delimiter": None, "text_column": "text"}),
    "excel": (
        "r.csv",
        "\ufeff" + table(";", "Text{}Klasse\n"),
        {"delimiter": ";", "text_column": "Text", "label_column": "Klasse"},
    ),
    "bar": ("r.csv", table("|"), {"delimiter": "|", "header": True}),
    "headless": ("r.csv", table(",", ""), {"header": False, "text_column": 0, "label_column": 1}),
    "label-like-a-name": (
        "sms.tsv",
        "".join(f"{'spam' if i % 2 else 'ham'}\t{text}\n" for i, (text, _) in enumerate(reviews())),
        {"header": False, "text_column": 1, "label_column": 0},
    ),
    "pandas": (
        "p.csv",
        ",message_body,team\n"
        + "".join(f'{i},"{text}",{label}\n' for i, (text, label) in enumerate(reviews())),
        {"header": True, "text_column": "message_body", "label_column": "team"},
    ),
    "joined": ("r.csv", table(",") + table(","), {"header": True, "text_column": "text"}),
    "tabs": ("r.tsv", tsv(), {"format": "tsv", "quoting": None}),
    "quoted-tabs": (
        "r.tsv",
        table("\t", '"text"{}"label"\n').replace("positive", '"good"').replace("negative", '"bad"'),
        {"format": "tsv", "quoting": "double", "text_column": "text"},
    ),
    "no-suffix": ("SMSSpam", tsv(), {"format": "tsv", "label_column": "label"}),
    "json-lines": ("r.jsonl", jsonl(), {"text_column": "review", "label_column": "stars"}),
    "json": ("r.txt", jsonl(), {"format": "jsonl"}),
    "token-lists": (
        "e.jsonl",
        token_lists(),
        {"format": "jsonl", "kind": "tagged", "text_column": "tokens", "tag_column": "ner_tags"},
    ),
    "conll": ("e.conll", conll(), {"format": "conll", "word_column": 0, "tag_column": None}),
    "tagged-text": ("e.txt", conll(lambda i, w, t: f"{w} {t}"), {"format": "conll"}),
    "numbered": (
        "e.conll",
        conll(lambda i, word, tag: f"{i}\t{word}\t{tag}\tO"),
        {"word_column": 1, "tag_column": 2},
    ),
    "treebank": ("u.conllu", conllu(), {"format": "conllu"}),
    "treebank-x": ("u.conll", conllu(), {"format": "conllu"}),
    "prose": ("b.txt", "".join(f"{t}.\n" for t, _ in reviews(200)), {"format": "text"}),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_becomes_a_project_that_can_be_prepared(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, content, expected = FILES[name]
    Path(file).write_text(content, encoding="utf-8")
    data = data_set(new(name, "--train", file))
    assert {key: getattr(data, key) for key in expected} == expected
    assert data.train == f"./data/raw/{file}"
    assert Path(name, "data/raw", file).read_text(encoding="utf-8") == content
    card = check_and_prepare(name, monkeypatch)
    assert sum(counts["sentences"] for counts in card["splits"].values()) > 39


def test_parquet_becomes_a_project(monkeypatch: pytest.MonkeyPatch) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    texts, labels = zip(*reviews(), strict=True)
    ids = list(range(len(texts)))
    columns = {
        "id": ids,
        "sentence": texts,
        "target": labels,
        "at": pa.array([10**14 + i for i in ids], pa.timestamp("s")),  # beyond the year 9999
        "raw": pa.array([f"{i}".encode("utf-16") for i in ids]),
    }
    arrays = [*map(pa.array, columns.values()), pa.array(ids), pa.array(ids)]
    pq.write_table(pa.table(arrays, [*columns, "twice", "twice"]), "r.parquet")
    data = data_set(new("parquet", "--train", "r.parquet"))
    assert (data.text_column, data.label_column) == ("sentence", "target")
    check_and_prepare("parquet", monkeypatch)


def annotated(name: str) -> str:
    """Sixty texts with two entities each, as a tool writes them."""
    records: list[Any] = []
    for i in range(60):
        text = f"Ann{i} Lee lives in Rome{i} 🙂"
        spans = [("PER", 0, text.index(" lives")), ("LOC", text.index("Rome"), text.index(" 🙂"))]
        if name == "prodigy":
            marked = [{"start": a, "end": b, "label": label} for label, a, b in spans]
            records.append({"text": text, "spans": marked})
        elif name == "doccano":
            records.append({"text": text, "label": [[a, b, label] for label, a, b in spans]})
        elif name == "relations":
            keys = ("label", "start_offset", "end_offset")
            marked = [dict(zip(keys, span, strict=True)) for span in spans]
            records.append({"text": text, "entities": marked, "relations": []})
        else:
            values = [{"labels": [label], "start": a, "end": b} for label, a, b in spans]
            result = [{"type": "labels", "value": value} for value in values]
            records.append({"data": {"text": text}, "annotations": [{"result": result}]})
    if name == "label-studio":
        return json.dumps(records)
    return "".join(json.dumps(record) + "\n" for record in records)


@pytest.mark.parametrize(
    ("name", "file", "format"),
    [
        ("prodigy", "r.jsonl", "prodigy"),
        ("doccano", "r.json", "doccano"),
        ("relations", "r", "doccano"),
        ("label-studio", "r.json", "label-studio"),
    ],
)
def test_what_annotation_tools_export_becomes_a_project(
    name: str,
    file: str,
    format: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path(file).write_text(annotated(name))
    data = data_set(new(name, "--train", file))
    assert (data.format, data.kind) == (format, "tagged")
    said = capsys.readouterr().out
    assert "120 entities in the scheme BIO: PER 50%, LOC 50%" in said
    assert "spans: 120 spans of characters\n" in said
    card = check_and_prepare(name, monkeypatch)
    assert card["spans"]["train"]["spans"] == 120 and card["entities"]


def labelled_texts(name: str, spans: bool = False) -> str:
    """Sixty texts with a label each, as a tool writes them; with a span too if asked for."""
    records: list[Any] = []
    for text, label in reviews():
        choice = {"type": "choices", "value": {"choices": [label]}}
        span = {"type": "labels", "value": {"start": 0, "end": 1, "labels": ["X"]}}
        marked = [choice, span] if spans else [choice]
        of_tools: dict[str, dict[str, Any]] = {
            "prodigy": {"text": text, "accept": [label], "answer": "accept"},
            "doccano": {"id": 1, "text": text, "label": [label], "Comments": []},
            "label-studio": {"data": {"text": text}, "annotations": [{"result": marked}]},
        }
        records.append(of_tools[name])
    if name == "label-studio":
        return json.dumps(records)
    return "".join(json.dumps(record) + "\n" for record in records)


@pytest.mark.parametrize("name", ["prodigy", "doccano", "label-studio"])
def test_texts_that_were_labelled_as_a_whole_become_a_classifier(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("r.json").write_text("\n" + labelled_texts(name))
    data = data_set(new(name, "--train", "r.json"))
    assert (data.format, data.kind) == (name, "labelled")
    check_and_prepare(name, monkeypatch)


def test_a_file_with_labels_and_spans_asks_for_the_task(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("r.json").write_text(labelled_texts("label-studio", spans=True))
    said = refused(capsys, "--train", "r.json")
    assert "--task classification or --task tagging" in said
    for task, kind in (("classification", "labelled"), ("tagging", "tagged")):
        assert data_set(new(task, "--train", "r.json", "--task", task)).kind == kind


def test_a_folder_of_brat_and_a_file_of_webanno_become_projects() -> None:
    Path("notes").mkdir()
    lines = ["#FORMAT=WebAnno TSV 3.3", "#T_SP=webanno.custom.Place|kind", "", ""]
    begin = 0
    for i in range(60):
        Path("notes", f"{i}.txt").write_text(f"in Rome{i}")
        Path("notes", f"{i}.ann").write_text(f"T1\tLOC 3 {len(f'in Rome{i}')}\tRome{i}\n")
        end = begin + len(f"in Rome{i}")
        lines += [
            f"#Text=in Rome{i}",
            f"{i + 1}-1\t{begin}-{begin + 2}\tin\t_\t",
            f"{i + 1}-2\t{begin + 3}-{end}\tRome{i}\tLOC\t",
            "",
        ]
        begin = end + 1
    Path("w.tsv").write_text("\n".join(lines))
    data = data_set(new("p", "--train", "notes"))
    assert (data.format, data.train) == ("brat", "./data/raw/notes")
    assert Path("p/data/raw/notes/0.ann").is_file()
    assert data_set(new("q", "--train", "w.tsv")).format == "webanno"


def test_spans_that_cut_words_ask_for_a_policy(capsys: pytest.CaptureFixture[str]) -> None:
    Path("r.jsonl").write_text(annotated("prodigy").replace('"start": 0', '"start": 1'))
    said = refused(capsys, "--train", "r.jsonl")
    assert "r.jsonl, line 1: the span 'nn0 Lee'" in said and "--spans widen" in said
    data = data_set(new("p", "--train", "r.jsonl", "--spans", "widen"))
    assert data.spans == "widen"
    assert "120 spans of characters (60 misaligned; 0 left out)" in capsys.readouterr().out


def test_texts_without_spaces_are_cut_into_characters() -> None:
    record = {"text": "我住在北京", "label": [[3, 5, "LOC"]]}
    rows = [{**record, "text": record["text"] + "的" * i} for i in range(60)]
    Path("r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert data_set(new("p", "--train", "r.jsonl")).tokenizer.unit == "character"


def write_folder(folder: Path) -> None:
    for i, (text, label) in enumerate(reviews()):
        (folder / label).mkdir(parents=True, exist_ok=True)
        (folder / label / f"{i}.txt").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("write", "given", "expected"),
    [
        (["films"], "films", {"train": "./data/raw/films", "test": None}),
        (
            ["all/train", "all/test"],
            "all",
            {"train": "./data/raw/train", "test": "./data/raw/test"},
        ),
    ],
)
def test_folders_become_a_project(
    monkeypatch: pytest.MonkeyPatch, write: Sequence[str], given: str, expected: dict[str, Any]
) -> None:
    for i, folder in enumerate(write):
        write_folder(Path(folder))
        Path(folder, "positive", f"{i}.md").write_text("left out")
    data = data_set(new("p", "--train", given))
    assert (data.format, data.kind) == ("folders", "labelled")
    assert {key: getattr(data, key) for key in expected} == expected
    check_and_prepare("p", monkeypatch)


def test_an_archive_becomes_a_project(monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(Path("x/films"))
    shutil.make_archive("films", "zip", "x")
    data = data_set(new("p", "--train", "films.zip!films"))
    assert data.train == "./data/raw/films.zip!films"
    check_and_prepare("p", monkeypatch)


def test_an_archive_of_deeper_folders_asks_for_the_folder_inside(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_folder(Path("x/films"))
    shutil.make_archive("films", "gztar", "x")
    assert "as ARCHIVE!FOLDER" in refused(capsys, "--train", "films.tar.gz")


def test_each_split_may_have_files_and_names_may_clash(monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, label in (("a", "one"), ("b", "two"), ("c", "three")):
        Path(folder).mkdir()
        text = "".join(f"{label} text {i},{c}\n" for i, (_, c) in enumerate(reviews(20)))
        Path(folder, "data.csv").write_text("text,label\n" + text)
    parts = ("--train", "a/data.csv", "--validation", "b/data.csv", "--test", "c/data.csv")
    data = data_set(new("p", *parts))
    assert (data.train, data.validation, data.test) == (
        "./data/raw/data.csv",
        "./data/raw/validation-data.csv",
        "./data/raw/test-data.csv",
    )
    assert "split" not in data.model_fields_set
    card = check_and_prepare("p", monkeypatch)
    assert card["splits"]["test"]["sentences"] == 20


def test_a_folder_of_files_that_are_named_after_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("d").mkdir()
    for i, file in enumerate(("my-train.conll", "dev.conll", "README.md")):
        Path("d", file).write_text(conll(lambda i, word, tag, n=i: f"{word}{n}\t{tag}"))
    data = data_set(new("p", "--train", "d"))
    assert (data.train, data.validation) == ("./data/raw/my-train.conll", "./data/raw/dev.conll")
    assert not Path("p/data/raw/README.md").exists()
    assert data.split.test == 0.1


@pytest.mark.parametrize("example", BUILT_IN)
def test_examples_are_projects(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = new(example, "--example", example)
    assert list(parameters.datasets) == [example]
    monkeypatch.chdir(example)
    assert main(["check"]) == 0
    assert not Path("data").exists()


# --- what it says and chooses ---------------------------------------------------------


def test_it_says_what_it_sees(capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"{text};{label}\n" for text, label in [*reviews(), *reviews(6)])
    Path("r.csv").write_text("comment;class\n" + rows)
    new("p", "--train", "r.csv")
    said = capsys.readouterr().out
    assert "csv, separated by ';', with a header, text in column 'comment'" in said
    assert "66 labelled texts" in said
    assert "labels: positive 50%, negative 50%" in said
    assert "duplicates: 6 (9.1%), kept in one split" in said
    assert said.endswith(
        "cd p\ndvc repro\necho 'some text' | nlp-rnn predict models/p-bilstm - -\n"
    )


def test_duplicates_stay_together_and_markup_is_read() -> None:
    Path("r.csv").write_text(
        "text,label\n" + "".join(f"so<br />{t[:9]},{c}\n" for t, c in reviews())
    )
    data = data_set(new("p", "--train", "r.csv"))
    assert data.split.duplicates == "together"
    assert data.tokenizer.html_breaks


@pytest.mark.parametrize(
    ("shares", "times", "select"),
    [((1, 1), 1000, "accuracy"), ((1, 1), 900, "loss"), ((9, 1), 200, "loss")],
    ids=["balanced", "few", "imbalanced"],
)
def test_rare_labels_and_few_examples_are_judged_by_the_loss(
    shares: tuple[int, int], times: int, select: str
) -> None:
    rows = [("good", "a")] * shares[0] + [("bad", "b")] * shares[1]
    rows = [(f"{text} {i}", label) for i in range(times) for text, label in rows]
    Path("r.csv").write_text("text,label\n" + "".join(f"{t},{c}\n" for t, c in rows))
    (experiment,) = new("p", "--train", "r.csv").experiments.values()
    assert experiment.training.select == select


@pytest.mark.slow
@pytest.mark.parametrize(("count", "units"), [(200, 32), (3000, 64), (20_000, 128)])
def test_networks_grow_with_the_data(count: int, units: int) -> None:
    rows = "".join(f"text {i},{i % 2}\n" for i in range(count))
    Path("r.csv").write_text("text,label\n" + rows)
    (experiment,) = new("p", "--train", "r.csv").experiments.values()
    assert getattr(experiment.model, "units") == units  # noqa: B009
    assert experiment.training.patience


def test_entities_get_a_crf_and_characters_and_texts_without_spaces_are_cut_so() -> None:
    Path("e.conll").write_text(conll())
    (experiment,) = new("e", "--train", "e.conll").experiments.values()
    model: Any = experiment.model
    assert (model.output, model.casing, experiment.training.select) == ("crf", 10, "f1")
    assert model.characters.kind == "cnn"
    Path("z.csv").write_text(
        "text,label\n" + "".join(f"这部电影很{'好坏'[i % 2]}{i},{i % 2}\n" for i in range(40))
    )
    assert data_set(new("z", "--train", "z.csv")).tokenizer.unit == "character"


@pytest.mark.parametrize(("cities", "rate"), [(60, 0.5), (6, 0.0)])
def test_words_are_dropped_where_some_occur_once(cities: int, rate: float) -> None:
    """Training refuses ``singleton_dropout`` if no word occurs exactly once."""
    sentences = [
        "\n".join(["near\tO"] * (1 + i // 6) + [f"City{i % cities}\tB-LOC", "\n"])
        for i in range(60)
    ]
    Path("e.conll").write_text("".join(sentences))
    (experiment,) = new("e", "--train", "e.conll").experiments.values()
    training: Any = experiment.training
    assert training.singleton_dropout == rate


def test_long_texts_are_cut() -> None:
    rows = "".join(f"{'long ' * 600}{i},{i % 2}\n" for i in range(40))
    Path("r.csv").write_text("text,label\n" + rows)
    (experiment,) = new("p", "--train", "r.csv").experiments.values()
    training: Any = experiment.training
    assert (training.max_length, training.long_texts) == (400, "both")


# --- any number of labels -------------------------------------------------------------

SETS = [("a", "b"), (), ("b",), ("a",)] * 15


@pytest.mark.parametrize("written", ["cells", "columns", "lists"])
def test_texts_with_any_number_of_labels(
    written: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, options, lines = "r.csv", ["--label-column", "x", "--label-separator", "|"], ["text,x"]
    lines += [f"word {i},{'|'.join(labels)}" for i, labels in enumerate(SETS)]
    if written == "columns":
        options, lines = ["--label-columns", "a", "b"], ["text,a,b"]
        lines += [f"word {i},{'a' in x:d},{'b' in x:d}" for i, x in enumerate(SETS)]
    if written == "lists":
        file, options = "r.jsonl", []
        lines = [json.dumps({"text": f"word {i}", "topics": x}) for i, x in enumerate(SETS)]
    Path(file).write_text("\n".join(lines) + "\n")
    (experiment,) = new("p", "--train", file, *options).experiments.values()
    assert experiment.task == "classification" and experiment.training.select == "loss"
    said = capsys.readouterr().out
    assert "any number for a text, 1.0 on average, none for 25%; 2 in all" in said
    card = check_and_prepare("p", monkeypatch)
    assert card["multi_label"]
    assert sum(split["without_label"] for split in card["splits"].values()) == 15


# --- pairs, and sentences with more than tags -----------------------------------------

LINES = range(60)

BESIDE: dict[str, tuple[dict[str, str], list[str], str, dict[str, Any]]] = {
    "translations": (
        {"a.en": "a tall man {i}\n", "a.de": "ein großer Mann {i}\n"},
        ["--train", "a.en", "--train-target", "a.de"],
        "sequence_to_sequence",
        {"format": "parallel", "train_target": "./data/raw/a.de"},
    ),
    "columns": (
        {"a.csv": "how are you {i},fine {i}\n"},
        ["--train", "a.csv", "--no-header", "--text-column", "0", "--target-column", "1"],
        "sequence_to_sequence",
        {"format": "csv", "text_column": 0, "target_column": 1},
    ),
    "known columns": (
        {"a.jsonl": '{{"id": {i}, "question": "who is {i}", "answer": "it is {i}"}}\n'},
        ["--train", "a.jsonl", "--task", "sequence_to_sequence"],
        "sequence_to_sequence",
        {"text_column": "question", "target_column": "answer"},
    ),
    "context": (
        {"a.jsonl": '{{"story": "{i} left", "question": "who", "answer": "{i}"}}\n'},
        ["--train", "a.jsonl", "--target-column", "answer", "--context-columns", "story"],
        "sequence_to_sequence",
        {"text_column": "question", "context_columns": ["story"]},
    ),
    "inflected forms": (
        {"a.tsv": "walk{i}\twalk{i}ed\tV;PST\n"},
        ["--train", "a.tsv", "--format", "sigmorphon"],
        "sequence_to_sequence",
        {"format": "sigmorphon"},
    ),
    "trees": (
        {"a.txt": "(S (NP (N Ann{i})) (VP (V sees) (NP (N Rome))))\n"},
        ["--train", "a.txt", "--format", "trees"],
        "sequence_to_sequence",
        {"format": "trees"},
    ),
    "stories": (
        {"a.txt": "1 Ann went to room {i} .\n2 Where is Ann ?\troom\t1\n"},
        ["--train", "a.txt", "--format", "babi"],
        "sequence_to_sequence",
        {"format": "babi"},
    ),
    "requests": (
        {"in": "to Rome {i}\n", "out": "O B-LOC O\n", "label": "trip\n", "more": "call\n",
         "in2": "phone Ann {i}\n", "out2": "O B-PER O\n"},
        ["--train", "in", "in2", "--train-tags", "out", "out2", "--train-labels", "label", "more"],
        "intents_and_slots",
        {"kind": "joint", "train_tags": ["./data/raw/out", "./data/raw/out2"]},
    ),
    "roles": (
        {"a.conll": "Ann{i}\t_\t-\t(ARG0*)\nsees\t_\tsee.01\t(V*)\n\n"},
        ["--train", "a.conll", "--task", "semantic_roles"],
        "semantic_roles",
        {"format": "propbank", "kind": "roles"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BESIDE)
def test_files_of_every_task_become_a_project_that_can_be_prepared(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, options, task, expected = BESIDE[name]
    for file, line in files.items():
        Path(file).write_text("".join(line.format(i=i) for i in LINES), encoding="utf-8")
    parameters = new("p", *options)
    data = data_set(parameters)
    assert {key: getattr(data, key) for key in expected} == expected
    (experiment,) = parameters.experiments.values()
    assert experiment.task == task
    card = check_and_prepare("p", monkeypatch)
    assert {counts["sentences"] > 0 for counts in card["splits"].values()} == {True}


def pairs_of(source: str, target: str, count: int = 60) -> SequenceToSequenceExperiment:
    """The experiment of a project whose pairs differ by a number."""
    Path("s").write_text("".join(source.format(i=i) + "\n" for i in range(count)))
    Path("t").write_text("".join(target.format(i=i) + "\n" for i in range(count)))
    shutil.rmtree("p", ignore_errors=True)
    (experiment,) = new("p", "--train", "s", "--train-target", "t").experiments.values()
    assert isinstance(experiment, SequenceToSequenceExperiment)
    return experiment


def test_phrases_are_judged_by_bleu_and_answers_by_whether_they_match() -> None:
    phrases = pairs_of("a tall man {i} sleeps", "ein großer Mann {i} schläft")
    answers = pairs_of("where is Ann {i}", "room {i}")
    assert phrases.training.select == "bleu" and answers.training.select == "exact_match"


def test_pairs_of_single_words_are_spelt() -> None:
    pairs_of("walk{i}", "walked{i}")
    assert data_set(load(Path("p/params.yaml"))).tokenizer.unit == "character"
    pairs_of("walk {i}", "歩く{i}")
    data = data_set(load(Path("p/params.yaml")))
    assert data.tokenizer.unit == "word" and data.target.tokenizer is not None
    assert data.target.tokenizer.unit == "character"


def test_targets_may_become_as_long_as_those_at_hand() -> None:
    assert pairs_of("a b {i}", "c d {i}").decoding.longest_ratio == 1.5
    decoding = pairs_of("a {i}", "b " * 40 + "{i}").decoding
    assert decoding.limit(2) > 41


@pytest.mark.parametrize(("installed", "unit"), [(True, "subword"), (False, "word")])
def test_many_words_are_cut_into_subwords_where_the_library_is_installed(
    installed: bool, unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: installed or None if name == "tokenizers" else found(name),
    )
    pairs_of("a{i} b{i} c", "d{i} e{i} f g", 3000)
    assert data_set(load(Path("p/params.yaml"))).tokenizer.unit == unit


def test_tags_that_only_the_drawn_splits_have_stop_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tags = "".join(f"w{i}\tB-T{i}\nx\tO\n\n" for i in range(60))
    Path("e.conll").write_text(tags)
    assert data_set(new("p", "--train", "e.conll")).unseen_labels == "keep"
    assert "tags that the training split lacks: " in capsys.readouterr().out
    check_and_prepare("p", monkeypatch)
    parameters = Path("params.yaml").read_text()
    split = re.search(r"    split:.*\n", parameters)
    assert split
    Path("params.yaml").write_text(parameters.replace(split[0], "    split: {folds: 3}\n"))
    prepare("p")
    assert Path("data/prepared/p/folds/3/card.json").is_file()


def test_a_link_is_copied_under_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("cache").write_text(table(","))
    Path("r.csv").symlink_to("cache")
    assert data_set(new("p", "--train", "r.csv")).train == "./data/raw/r.csv"
    check_and_prepare("p", monkeypatch)


def test_a_folder_of_files_is_a_split(monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("one", "other"):
        Path(folder).mkdir()
        Path(folder, f"{folder}.csv").write_text(table(",").replace("a ", f"{folder} "))
    data = data_set(new("p", "--train", "one", "--test", "other"))
    assert (data.train, data.test) == ("./data/raw/one.csv", "./data/raw/other.csv")


def test_a_chosen_label_is_taken_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    labels = ("Home", "garden", "Home, garden")
    rows = [f'a text of {i},"{labels[i % 3]}"\n' for i in range(60)]
    Path("r.csv").write_text("text,label\n" + "".join(rows))
    assert "take them as they are with --label-column label" in refused(capsys, "--train", "r.csv")
    assert data_set(new("p", "--train", "r.csv", "--label-column", "label")).label_separator is None


def test_names_that_yaml_cannot_hold_are_escaped() -> None:
    Path("r.csv").write_text(table(",", "text{}a\x7fb\x85\n"), encoding="utf-8")
    arguments = ("--text-column", "text", "--label-column", "a\x7fb\x85")
    assert data_set(new("p", "--train", "r.csv", *arguments)).label_column == "a\x7fb\x85"


def test_labels_of_two_forms_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"text": f"a {i}", "label": "x" if i % 2 else "y"} for i in range(60)]
    rows[59]["label"] = ["x", "y"]  # type: ignore[assignment]
    Path("r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    error = refused(capsys, "--train", "r.jsonl")
    assert "example 60: has a list where the first example of training has one label" in error


def test_what_the_first_row_is_can_be_settled(capsys: pytest.CaptureFixture[str]) -> None:
    Path("r.csv").write_text("".join(f"one {i},two {i},three {i}\n" for i in range(9)))
    assert "--no-header, if it is data" in refused(capsys, "--train", "r.csv")
    Path("r.csv").write_text("1,2\n" * 9)
    assert "--header, if it names columns" in refused(capsys, "--train", "r.csv")


# --- errors ---------------------------------------------------------------------------


def wide(header: str, cells: Callable[[int], str]) -> str:
    return header + "\n" + "".join(cells(i) + "\n" for i in range(60))


ERRORS: dict[str, tuple[str, str, list[str]]] = {
    "two texts": ("r.csv", wide("text,comment,label", lambda i: f"a {i},b {i},{i % 2}"), [
        "2 columns may hold the text; choose one with --text-column: 'text' (a 0, a 1, a 2, …), "
        "'comment'"]),
    "two labels": ("r.csv", wide("text,topic,stars", lambda i: f"a {i},{i % 3},{i % 2}"), [
        "2 columns may hold the label; choose one with --label-column: 'topic' (0, 1, 2)"]),
    "no label": ("r.csv", wide("text,id", lambda i: f"a {i},{i}"), [
        "no column may hold the label"]),
    "one column": ("r.csv", wide("text", lambda i: f"a {i}"), ["one column only"]),
    "one label": ("r.csv", wide("text,label", lambda i: f"a {i},same"), [
        "the only label is 'same'"]),
    "amounts": ("r.csv", wide("text,score", lambda i: f"a {i},{i / 7:.2f}"), [
        "60 different numbers", "amount", "--label-column"]),
    "several": ("r.csv", wide("text,label", lambda i: f"a {i},{('a', 'a|b', 'b', 'b|c')[i % 4]}"), [
        "several labels in a cell ('a|b')"]),
    "advice": ("r.csv", wide("text,label", lambda i: f"a {i},{'abc'[i % 3]};{i % 2}"), [
        "read them with --label-separator ';'"]),
    "flags": ("r.csv", wide("text,rude,loud", lambda i: f"a {i},{i % 2},{i % 3 // 2}"), [
        "2 columns hold 0 and 1", "--label-columns rude loud"]),
    "own labels": ("r.csv", wide("text,label", lambda i: f"a {i},name {i}"), [
        "60 different labels"]),
    "too few": ("r.csv", "text,label\na b,x\nc d,y\n", ["2 examples are too few"]),
    "short": ("b.txt", "A few words.\n", ["13 characters are too few for a language model"]),
    "header only": ("r.csv", "text,label\n", ["has no rows"]),
    "blank": ("r.txt", "\n \n", ["begins with 2 blank lines"]),
    "empty": ("r.csv", "", ["r.csv: is empty"]),
    "empty label": ("r.csv", wide("text,label", lambda i: f"a {i},{'xy'[i % 2] * (i < 50)}"), [
        "line 52", "found nothing"]),
    "excel's mark": ("r.csv", "sep=;\n" + wide("text;label", lambda i: f"a {i};{i % 2}"), [
        "--delimiter ';'"]),
    "sheet": ("r.xlsx", "PK", ["save the sheet as CSV in UTF-8"]),
    "array": ("r.json", "[{}]", ["write one JSON object on each line"]),
    "scheme": ("e.conll", conll(lambda i, w, t: f"{w}\t{t.replace('B-', 'I-')}").replace(
        "x3\tO", "x3\tB-PER"), ["--scheme BIO or --scheme IOB1", "--scheme null"]),
    "no word": ("e.conll", conll() + "\tO\nx\tO\n", ["--empty-words skip"]),
    "no tags": ("e.conll", conll(lambda i, w, t: f"{w}\t{t}\t{i}\t_"), ["--tag-column: 1 (B-PER"]),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_a_doubt_or_a_fault_is_one_line_and_writes_nothing(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file, content, parts = ERRORS[name]
    Path(file).write_text(content, encoding="utf-8")
    error = refused(capsys, "--train", file)
    assert file in error
    for part in parts:
        assert part in error


def test_running_text_whose_first_line_has_commas_is_running_text() -> None:
    lines = [f"The captain of number {i} sailed home, and slept." for i in range(100)]
    Path("r.txt").write_text("\n".join(["Well, text, she said.", *lines]))
    assert data_set(new("prose", "--train", "r.txt")).kind == "text"


def test_encodings_that_are_no_utf8_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    text = table(",").replace("film", "Grüße")
    Path("r.csv").write_bytes(text.encode("utf-16"))
    assert "is UTF-16 text; save the file as UTF-8" in refused(capsys, "--train", "r.csv")
    for without_mark in ("utf-16-le", "utf-16-be"):
        Path("r.csv").write_bytes(text.encode(without_mark))
        assert "is UTF-16 text; save the file as UTF-8" in refused(capsys, "--train", "r.csv")
    Path("r.csv").write_bytes(text.encode("latin-1"))
    assert "--bad-bytes replace" in refused(capsys, "--train", "r.csv")
    assert data_set(new("q", "--train", "r.csv", "--bad-bytes", "replace")).tokenizer.bad_bytes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--train", "none.csv"], "none.csv: no such file"),
        ([], "give the training data with --train"),
        (["--train", "r.csv", "--example", "ner"], "--example has data of its own"),
        (["--train", "r.csv", "--test", "r.csv"], "is used for both train and test"),
        (["--train", "r.csv", "--text-column", "txt"], "no column 'txt' (--text-column)"),
        (["--train", "r.csv", "--task", "tagging"], "--task tagging: needs data of format conll"),
        (["--train", "r.csv", "e.conll"], "r.csv: seems to be csv, but e.conll conll"),
        (["--train", "void"], "void: is an empty folder"),
        (["--train", "r.csv", "--tag-column", "1"], "tag_column"),
        (["--train", "s", "--train-target", "none"], "none: no such file"),
        (["--train", "s", "--train-target", "s", "s"], "names 2 files and --train 1; each file of"),
        (
            ["--train", "s", "--train-target", "r.csv", "--test", "e.conll"],
            "--test: needs a file of targets beside it; give it with --test-target",
        ),
        (["--train", "s", "--test-target", "s"], "--test-target: names 1 files and --test 0"),
        (["--train", "s", "--train-target", "r.csv", "--format", "csv"], "leave out --format"),
        (
            ["--train", "s", "--format", "parallel"],
            "--train-target, --train-tags or --train-labels",
        ),
        (["--train", "s", "--task", "intents_and_slots"], "--train-tags and --train-labels"),
        (["--train", "s", "--task", "sequence_to_sequence"], "parallel with --train-target"),
        (["--train", "r.csv", "--context-columns", "x", "--target-column", "label"], "column 'x'"),
        (["--train", "pairs.csv", "--task", "sequence_to_sequence"], "may hold the source"),
        (["--train", "s", "--train-target", "r.csv"], "s: ends after line 2"),
        (["--example", "translation", "--train-target", "s"], "--example has data of its own"),
    ],
)
def test_arguments_that_do_not_fit(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    Path("r.csv").write_text(table(","))
    Path("e.conll").write_text(conll())
    Path("void").mkdir()
    Path("s").write_text("a\nb\n")
    Path("pairs.csv").write_text("en,de\n" + "".join(f"a {i},b {i}\n" for i in range(9)))
    assert message in refused(capsys, *arguments)


def test_a_label_of_another_split_that_training_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    Path("r.csv").write_text(table(","))
    Path("t.csv").write_text("text,label\nso so,mixed\n")
    error = refused(capsys, "--train", "r.csv", "--test", "t.csv")
    assert "r.csv: lacks the label 'mixed'" in error


def test_nothing_is_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    Path("r.csv").write_text(table(","))
    Path("full").mkdir()
    Path("full/mine.txt").write_text("mine")
    for folder, message in (
        ("full", "full: is not empty"),
        (".", "is the current folder"),
        ("r.csv", "is a file"),
        ("___", "needs a letter or digit"),
    ):
        assert main(["new", folder, "--train", "r.csv"]) == 2
        assert message in capsys.readouterr().err
    assert Path("full/mine.txt").read_text() == "mine"
    Path("void").mkdir()
    assert main(["new", "void", "--train", "r.csv"]) == 0


def test_a_name_with_blanks_is_written_with_hyphens() -> None:
    Path("my data (1).csv").write_text(table(","))
    parameters = new("My films 2", "--train", "my data (1).csv")
    assert list(parameters.experiments) == ["My-films-2-bilstm"]
    assert data_set(parameters).train == "./data/raw/my data (1).csv"


@pytest.mark.parametrize("names", [("on: #1", ".5"), ("null", "1"), ("größe, x", "- a")])
def test_columns_of_any_name_are_written_so_that_they_are_read_back(names: tuple[str, str]) -> None:
    rows = [{names[0]: text, names[1]: label} for text, label in reviews()]
    Path("r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = data_set(new("p", "--train", "r.jsonl"))
    assert (data.text_column, data.label_column) == names


def test_a_user_may_settle_how_a_file_is_read() -> None:
    Path("r.txt").write_text("".join(f'one " {i}; x\n\nanother {i}; y\n' for i in range(30)))
    options = ["--format", "csv", "--delimiter", ";", "--no-header", "--quoting", "none"]
    options += ["--text-column", "0", "--label-column", "1", "--task", "classification"]
    data = data_set(new("p", "--train", "r.txt", *options))
    assert (data.delimiter, data.quoting, data.text_column) == (";", "none", 0)
    Path("e.txt").write_text(conll())
    data = data_set(new("q", "--train", "e.txt", "--task", "tagging", "--scheme", "null"))
    assert (data.format, data.scheme) == ("conll", None)
    assert new("l", "--train", "e.txt", "--format", "text").experiments["l-lstm"]


# --- files that went wrong elsewhere --------------------------------------------------


@pytest.mark.skipif(not CASES.is_dir(), reason="no cases/people beside NLP_RNN_DATA")
@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("tag-schemes/bilou.conll", {"format": "conll", "scheme": "auto"}),
        ("tag-schemes/bioes.conll", {"format": "conll", "scheme": "auto"}),
        ("word-column/train.conll", {"word_column": 1, "tag_column": None}),
        ("tsv-quotes/big.tsv", {"format": "tsv", "quoting": None}),
        ("html-entities/train.csv", {"text_column": "text", "label_column": "label"}),
        ("folders/train", {"format": "folders"}),
    ],
)
def test_files_of_other_people(
    file: str, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = data_set(new("p", "--train", str(CASES / file)))
    assert {key: getattr(data, key) for key in expected} == expected
    check_and_prepare("p", monkeypatch)


@pytest.mark.skipif(not CASES.is_dir(), reason="no cases/people beside NLP_RNN_DATA")
@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("comments/germeval.conll", "3 different examples are too few"),
        ("trailing-blanks/pos_trailing_space.conll", "5 different examples are too few"),
        ("trailing-blanks/trailing_tab.conll", "3 different examples are too few"),
        ("tsv-quotes/b_swallow.tsv", "5 examples are too few"),
        ("empty-words/train.conll", "--empty-words skip"),
        ("one-sentence/thirtythree.txt", "299 characters are too few"),
        ("zero-width/persian.txt", "characters are too few for a language model"),
        ("line-ends/mac.csv", "--label-column: 'id' (1, 2)"),
        ("word-column/new.conll", "the only tag is '_'"),
    ],
)
def test_files_of_other_people_that_hold_too_little(
    file: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refused(capsys, "--train", str(CASES / file))

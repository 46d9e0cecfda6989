"""Documents to predict for: one record each, equal to the predictions for its sentences."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import nlp_rnn
from helpers.bundles import parquet_rows, write_untrained
from nlp_rnn.cli import main
from nlp_rnn.corpora.annotations import brat, doccano, prodigy, webanno
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.files import read_json, sha256, write_json
from nlp_rnn.inference.model import Model

TEXT = "  Ann Lee sleeps in 🙂 New York. Rome!\n\nDr. Lee\nsees Ann. "
SENTENCES = ["Ann Lee sleeps in 🙂 New York.", "Rome!", "Dr. Lee\nsees Ann."]
PLACES = [(TEXT.index(sentence), TEXT.index(sentence) + len(sentence)) for sentence in SENTENCES]


def remembering(bundle: Path, documents: Any = None) -> None:
    """Make the data card of a bundle say that its data were documents."""
    card = read_json(bundle / "data_card.json", "") | {
        "documents": {"language": "en", "splits": {}} if documents is None else documents
    }
    write_json(bundle / "data_card.json", card)
    description = read_json(bundle / "bundle.json", "")
    description["sha256"]["data_card.json"] = sha256(bundle / "data_card.json")
    write_json(bundle / "bundle.json", description)


@pytest.fixture(scope="module")
def of_documents(tagger: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import shutil

    target = tmp_path_factory.mktemp("of_documents") / "tagging"
    shutil.copytree(tagger, target)
    remembering(target)
    return target


@pytest.fixture(scope="module")
def model(tagger: Path) -> Model:
    return nlp_rnn.load(tagger)


def test_a_record_joins_those_of_the_sentences(model: Model) -> None:
    options: dict[str, Any] = {"review_below": 0.5}
    parts = model.predict(SENTENCES, **options)
    record = model.predict(TEXT, unit="document", **options)
    for key in ("tokens", "tags", "probabilities"):
        assert record[key] == [value for part in parts for value in part[key]]
    assert record["review"] == any(part["review"] for part in parts)
    assert [(s["start"], s["end"]) for s in record["sentences"]] == PLACES
    assert [s["tokens"] for s in record["sentences"]] == [len(part["tokens"]) for part in parts]
    moved = [
        entity | {"start": entity["start"] + start, "end": entity["end"] + start}
        for (start, _), part in zip(PLACES, parts, strict=True)
        for entity in part["entities"]
    ]
    assert record["entities"] == moved and len(moved) > 2
    assert all(TEXT[e["start"] : e["end"]] == e["text"] for e in moved)


def test_documents_share_batches_and_may_be_empty(model: Model) -> None:
    documents = [TEXT, "", " \n ", *(f"{TEXT}Bo {i}." for i in range(8)), ["Ann.", "Lee"]]
    found = model.predict(documents, unit="document", batch_size=5)
    assert found == [model.predict([each], unit="document")[0] for each in documents]
    assert found[1] == found[2] == {key: [] for key in found[0]}
    assert found[-1]["sentences"] == [{"start": 0, "end": 8, "tokens": 2}]


def test_a_long_document_is_read_in_batches(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network never sees more rows at a time than a batch has, or longer ones."""
    seen = []
    logits = model._predictor.network.all_logits
    monkeypatch.setattr(
        model._predictor.network,
        "all_logits",
        lambda ids, *rest: (seen.append(ids.shape), logits(ids, *rest))[1],
    )
    record = model.predict("Ann Lee sleeps. In New York she does not. " * 400, unit="document")
    assert len(record["sentences"]) == 800
    assert max(rows for rows, _ in seen) <= 32 and max(length for _, length in seen) <= 8


@pytest.mark.slow
def test_semantic_roles_of_documents(tmp_path: Path, propositions: list[Example]) -> None:
    roles = nlp_rnn.load(
        write_untrained(tmp_path, "semantic_roles", "roles", propositions[:3], scale=1.0)
    )
    parts = [roles.predict(sentence) for sentence in SENTENCES]
    found = roles.predict(TEXT, unit="document")["predicates"]
    assert len(found) == sum(len(part["predicates"]) for part in parts) > 0
    arguments = [argument for predicate in found for argument in predicate["arguments"]]
    assert all(TEXT[each["start"] : each["end"]] == each["text"] for each in (*found, *arguments))


def test_a_bundle_remembers_that_it_reads_documents(of_documents: Path, model: Model) -> None:
    remembered = nlp_rnn.load(of_documents)
    assert remembered.predict(TEXT) == model.predict(TEXT, unit="document")
    assert list(remembered.columns) == [*model.columns, "sentences"]
    assert remembered.predict(TEXT, unit="text") == model.predict(TEXT)
    remembering(of_documents, {"language": "../en"})
    with pytest.raises(UserError, match=r"data_card.json: documents has no code of a language"):
        nlp_rnn.load(of_documents)
    remembering(of_documents)


def test_mlflow_and_the_server_read_documents_too(of_documents: Path, model: Model) -> None:
    from fastapi.testclient import TestClient

    from nlp_rnn.serving.app import make_app
    from nlp_rnn.serving.metrics import Metrics
    from nlp_rnn.serving.models import Models, Source
    from nlp_rnn.tracking.origin import requirements
    from nlp_rnn.tracking.pyfunc import BundleModel

    expected = model.predict([TEXT], unit="document")
    logged = BundleModel.of(of_documents)
    assert logged.predict(None, [TEXT]).to_dict("records") == expected
    assert "sentences" in [column.name for column in logged.signature().outputs]
    assert any(line.startswith("sentencex==") for line in requirements(of_documents))
    served = Models([Source(str(of_documents), "mine")])
    with TestClient(make_app(served, Metrics())) as client:
        answer = client.post("/models/mine/predict", json={"texts": [TEXT]})
    assert answer.json()["predictions"] == expected


def predict(*arguments: object) -> None:
    assert main(["predict", *map(str, arguments)]) == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a document in each file."""
    (tmp_path / "in").mkdir()
    for name, text in (("a", TEXT), ("b", "Rome. York.")):
        (tmp_path / "in" / f"{name}.txt").write_text(text, encoding="utf-8")
    return tmp_path / "in"


def test_every_format_keeps_the_offsets_of_the_document(
    tagger: Path, model: Model, folder: Path, tmp_path: Path
) -> None:
    documents = [TEXT, "Rome. York."]
    expected = model.predict(documents, unit="document")
    entities = [[(e["type"], e["start"], e["end"]) for e in each["entities"]] for each in expected]
    read = {"prodigy": prodigy.read, "doccano": doccano.read, "brat": brat.read}
    for format, reader in read.items():
        predict(tagger, folder, tmp_path / format, "--unit", "document", "--format", format)
        found = list(reader(tmp_path / format, "error"))
        assert [text.text for text in found] == documents
        assert [[(s.type, s.start, s.end) for s in text.spans] for text in found] == entities
    (first, _) = map(json.loads, (tmp_path / "prodigy").read_text(encoding="utf-8").splitlines())
    assert [token["text"] for token in first["tokens"]] == expected[0]["tokens"]
    predict(tagger, folder, tmp_path / "w.tsv", "--unit", "document", "--format", "webanno")
    found = list(webanno.read(tmp_path / "w.tsv", "error"))
    assert [text.text for text in found] == [*SENTENCES, "Rome.", "York."]
    predict(tagger, folder, tmp_path / "out.parquet", "--unit", "document")
    assert [row["sentences"] for row in parquet_rows(tmp_path / "out.parquet")] == [
        each["sentences"] for each in expected
    ]


def test_columns_of_words_have_a_sentence_each(tagger: Path, folder: Path, tmp_path: Path) -> None:
    predict(tagger, folder, tmp_path / "out.conll", "--unit", "document")
    blocks = (tmp_path / "out.conll").read_text(encoding="utf-8").strip().split("\n\n")
    assert [len(block.splitlines()) for block in blocks] == [7, 1, 4, 1, 1]
    predict(tagger, folder, tmp_path / "out.conllu", "--unit", "document")
    heads = re.findall("# text = (.*)", (tmp_path / "out.conllu").read_text(encoding="utf-8"))
    assert heads == [*(" ".join(s.split()) for s in SENTENCES), "Rome.", "York."]


@pytest.mark.parametrize(
    ("task", "options", "says"),
    [
        ("classification", ["--unit", "document"], "--unit document is of models that tag words"),
        ("tagging", ["--language", "de"], "--language: is of documents; add --unit document"),
        ("tagging", ["--unit", "document", "--language", "!"], "--language: expected the code"),
        ("crf", ["--unit", "document", "--n-best", "2"], "--n-best: is of single sentences"),
    ],
)
def test_what_does_not_fit_is_one_line(
    bundles: dict[str, Path],
    crf_bundle: Path,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    task: str,
    options: list[str],
    says: str,
) -> None:
    bundle = crf_bundle if task == "crf" else bundles[task]
    out = folder.parent / "out.jsonl"
    assert main(["predict", str(bundle), str(folder), str(out), *options]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"error: {says}") and not out.exists()


def test_the_library_is_named_where_it_is_missing(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"unit: document needs sentencex.*\[documents\]"):
        model.predict("Ann. Bo.", unit="document")

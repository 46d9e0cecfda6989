"""The probabilities of predicted entities, against sums over all tag sequences."""

from __future__ import annotations

import csv
import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nlp_rnn
from helpers.bundles import parquet_rows, write_untrained
from nlp_rnn.cli import main
from nlp_rnn.evaluation.analysis import certainty, write_analysis
from nlp_rnn.evaluation.calibration import entity_probabilities_at
from nlp_rnn.example import Example
from nlp_rnn.layers.crf import FORBIDDEN
from nlp_rnn.linear_chain import Transitions, lattice, path_score, tempered
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.runtime.entities import entity_probabilities, independent
from nlp_rnn.runtime.forward import softmax, tag
from nlp_rnn.tasks.registry import make_task
from nlp_rnn.text.batches import Encoded
from nlp_rnn.text.entities import LearnedTags, allowed_transitions, entity_spans
from nlp_rnn.text.prepared import PreparedDataset

BIO = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
BIOES = [*BIO[:3], "E-PER", "S-PER"]
LENGTHS = (4, 1, 3)
TEXT = "Ann Lee sleeps"


def all_spans(types: list[str], words: int) -> list[tuple[str, int, int]]:
    return [
        (kind, first, last)
        for kind in types
        for first in range(words)
        for last in range(first + 1, words + 1)
    ]


def enumerated(
    emissions: Any, transitions: Transitions, tags: list[str]
) -> dict[tuple[str, int, int], float]:
    """The probability of each possible entity, from the probabilities of all sequences."""
    paths = list(itertools.product(range(len(tags)), repeat=len(emissions)))
    scores = np.array([path_score(emissions, np.array(path), transitions) for path in paths])
    p = np.exp(scores - np.logaddexp.reduce(scores))
    found: dict[tuple[str, int, int], float] = {}
    for path, value in zip(paths, p, strict=True):
        for span in entity_spans([tags[i] for i in path]):
            found[span] = found.get(span, 0.0) + value
    return found


@pytest.mark.parametrize("constrained", [False, True])
@pytest.mark.parametrize(
    "learned",
    [LearnedTags(BIO, None), LearnedTags(BIO[:3], "BIOES"), LearnedTags(BIOES, None)],
    ids=["BIO", "BIO learned as BIOES", "BIOES"],
)
@pytest.mark.parametrize("spread", [1.0, 40.0])
def test_an_entity_has_the_probability_of_all_sequences_with_it(
    learned: LearnedTags, constrained: bool, spread: float
) -> None:
    rng = np.random.default_rng(2)
    size = len(learned.tags)
    scores = [rng.normal(0, spread, shape) for shape in ((size,), (size, size), (size,))]
    if constrained:
        allowed = allowed_transitions(learned.tags)
        scores = [np.where(may, s, FORBIDDEN) for may, s in zip(allowed, scores, strict=True)]
    emissions = rng.normal(0, spread, (len(LENGTHS), max(LENGTHS), size))
    emissions, transitions = tempered(emissions, Transitions(*scores), 1.7)
    types = sorted({tag[2:] for tag in learned.labels if tag != "O"})
    spans = [all_spans(types, words) for words in LENGTHS]
    chains = lattice(emissions, np.array(LENGTHS), transitions)
    found = entity_probabilities(chains, spans, learned.meant)
    for row, words, of_sentence, values in zip(emissions, LENGTHS, spans, found, strict=True):
        expected = enumerated(row[:words], transitions, learned.meant)
        wanted = [expected.get(span, 0.0) for span in of_sentence]
        np.testing.assert_allclose(values, wanted, atol=1e-10)
        assert (values <= 1).all()


def test_a_softmax_has_the_product_of_its_definition() -> None:
    rng = np.random.default_rng(3)
    p = softmax(rng.normal(0, 2, (4, len(BIO))))
    b, i = BIO.index("B-PER"), BIO.index("I-PER")
    expected = (
        (p[1, b] + p[1, i] * (1 - p[0, b] - p[0, i])) * p[2, i] * (1 - p[3, i]),
        p[0, b] + p[0, i],
        (p[2, b] + p[2, i] * (1 - p[1, b] - p[1, i])) * p[3, i],
    )
    spans = [("PER", 1, 3), ("PER", 0, 1), ("PER", 2, 4)]
    learned = LearnedTags(BIO, "BIOES")  # the logits are those of the data's tags all the same
    (found,) = entity_probabilities_at(1.0, [np.log(p)], [spans], None, learned)
    np.testing.assert_allclose(found, [expected[0], expected[1] * (1 - p[1, i]), expected[2]])
    sums = enumerated(np.log(p), independent(len(BIO)), BIO)
    np.testing.assert_allclose(found, [sums[span] for span in spans])


@pytest.fixture(scope="module")
def taggers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Taggers with random weights: entities with a high and with a low probability."""
    examples = [
        Example(tokens=("Ann", "Lee", "sleeps"), tags=("B-PER", "I-PER", "O")),
        Example(tokens=("Rome",), tags=("B-LOC",)),
        Example(tokens=("in", "New", "York"), tags=("O", "B-LOC", "I-LOC")),
        Example(),
    ]
    models: dict[str, dict[str, Any]] = {
        "softmax": {},
        "crf": {"output": "crf"},
        "free": {"output": "crf", "constrained": False},
        "bioes": {"output": "crf", "tag_scheme": "BIOES"},
    }
    folder = tmp_path_factory.mktemp("taggers")
    return {
        name: write_untrained(folder / name, "tagging", "tagged", examples, model, scale=1.0)
        for name, model in models.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["crf", "free", "bioes"])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_predicted_entities_sum_over_the_n_best_list(
    taggers: dict[str, Path], name: str, temperature: float
) -> None:
    model = nlp_rnn.load(taggers[name])
    model.bundle.figures["temperature"] = temperature
    seen = 0
    for text in (TEXT, "Rome New Ann York", "in Rome"):
        found = model.predict(text, n_best=640)
        assert math.isclose(sum(path["probability"] for path in found["n_best"]), 1, abs_tol=1e-6)
        spans = list(entity_spans(found["tags"]))
        for span, entity in zip(spans, found["entities"], strict=True):
            expected = sum(
                path["probability"]
                for path in found["n_best"]
                if span in set(entity_spans(path["tags"]))
            )
            assert entity["probability"] == pytest.approx(expected, abs=1e-9)
            assert text[entity["start"] : entity["end"]] == entity["text"]
            seen += 1
    assert seen


@pytest.mark.slow
def test_a_softmax_sums_over_all_its_sequences(taggers: dict[str, Path]) -> None:
    bundle = Bundle.open(taggers["softmax"])
    sentence = Encoded(np.array(bundle.vocabulary.encode(["Rome", "New", "Ann", "York"])))
    arguments = bundle.network(), [sentence], 1, bundle.learned_tags
    (found,) = tag(*arguments, temperature=1.5, entities=True)
    expected = enumerated(found.logits, independent(len(bundle.labels)), bundle.labels)
    assert found.entities
    for entity in found.entities:
        assert entity.probability == pytest.approx(expected[entity[:3]], abs=1e-9)
    assert next(tag(*arguments)).entities == ()


@pytest.mark.slow
def test_evaluation_tells_the_calibration_of_entities(
    taggers: dict[str, Path], tmp_path: Path
) -> None:
    name = "bioes"
    bundle = Bundle.open(taggers[name])
    dataset = PreparedDataset(taggers[name].parent / "data")
    result = make_task(bundle.experiment, dataset, seed=1).evaluate(bundle.network(), 2.0)
    found = {"test": result.test} | certainty(result, 2.0)
    judged = found["calibration"]["entities"]
    rows = result.predictions
    confidence = [p for row in rows for p in row["entity_confidence"]]
    assert judged["after"]["mean_confidence"] == pytest.approx(np.mean(confidence), abs=1e-6)
    assert judged["before"] != judged["after"]
    right = [
        span in set(entity_spans(row["gold"]))
        for row in rows
        for span in entity_spans(row["predicted"])
    ]
    assert (judged["predicted"], judged["precision"]) == (len(right), np.mean(right))
    assert 0 <= judged["after"]["ece"] <= 1
    plain = nlp_rnn.load(taggers[name])
    plain.bundle.figures["temperature"] = 2.0
    words = [list(record["tokens"]) for record in dataset.split("test").records()]
    again = [[e["probability"] for e in p["entities"]] for p in plain.predict(words)]
    assert [row["entity_confidence"] for row in rows] == [
        pytest.approx(of_sentence, abs=2e-5) for of_sentence in again
    ]
    tables = write_analysis(tmp_path, name, found, result)
    assert sum(row["predictions"] for row in tables["entity_reliability"]) == len(right)
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert f"The same for the {len(right)} predicted entities" in report
    assert (tmp_path / "entity_reliability.png").stat().st_size


def test_every_format_has_the_probability_of_entities(
    taggers: dict[str, Path], tmp_path: Path
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text(f"{TEXT}\n\nin New York\n", encoding="utf-8")
    expected = [
        p["entities"] for p in nlp_rnn.load(taggers["crf"]).predict([TEXT, "", "in New York"])
    ]
    assert any(expected) and not expected[1]
    for suffix in ("jsonl", "parquet", "csv"):
        out = tmp_path / f"out.{suffix}"
        assert main(["predict", str(taggers["crf"]), str(texts), str(out)]) == 0
        if suffix == "parquet":
            found = [row["entities"] for row in parquet_rows(out)]
        elif suffix == "jsonl":
            found = [json.loads(line)["entities"] for line in out.read_text().splitlines()]
        else:
            with out.open(newline="", encoding="utf-8") as stream:
                found = [json.loads(row["entities"]) for row in csv.DictReader(stream)]
        assert found == expected


def test_review_goes_by_entity(taggers: dict[str, Path], tmp_path: Path) -> None:
    model = nlp_rnn.load(taggers["crf"])
    texts = [TEXT, "", "Rome New Ann York", "in"]
    for below in (0.01, 0.5, 1.0):
        found = model.predict(texts, review_below=below, review_by="entity")
        for prediction in found:
            lowest = min((e["probability"] for e in prediction["entities"]), default=1.0)
            assert prediction["review"] is (lowest < below)
    by_token = model.predict(texts, review_below=1.0)
    assert [p["review"] for p in by_token] == [
        min(p["probabilities"], default=1.0) < 1 for p in by_token
    ]
    texts_file = tmp_path / "in.txt"
    texts_file.write_text("\n".join(texts) + "\n", encoding="utf-8")
    out = tmp_path / "out.jsonl"
    options = ["--review-below", "0.5", "--review-by", "entity"]
    assert main(["predict", str(taggers["crf"]), str(texts_file), str(out), *options]) == 0
    written = [json.loads(line)["review"] for line in out.read_text().splitlines()]
    assert written == [
        p["review"] for p in model.predict(texts, review_below=0.5, review_by="entity")
    ]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"review_by": "entity"}, "review_by: needs review_below"),
        ({"review_by": "word", "review_below": 0.5}, "review_by: expected token or entity"),
    ],
)
def test_what_review_by_needs(taggers: dict[str, Path], options: dict[str, Any], says: str) -> None:
    with pytest.raises(nlp_rnn.UserError, match=says):
        nlp_rnn.load(taggers["crf"]).predict([TEXT], **options)


def test_a_classifier_has_no_entities_to_review(bundles: dict[str, Path]) -> None:
    with pytest.raises(nlp_rnn.UserError, match="predicts no entities"):
        nlp_rnn.load(bundles["classification"]).predict(
            [TEXT], review_below=0.5, review_by="entity"
        )

"""Explanations: of what is predicted, complete, and with mistakes named in one line."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from conftest import PROPOSITIONS, REQUESTS, WORDS

from helpers.bundles import write_untrained
from helpers.grids import grid
from nlp_rnn.cli import main
from nlp_rnn.example import Example
from nlp_rnn.explanation.attribution import Attribution, Explainer, integrated_gradients
from nlp_rnn.explanation.explain import PAGE, PICTURE, RECORDS, explaining
from nlp_rnn.inference.predictor import Predictor
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.text.entities import entity_spans

REVIEWS = [
    Example(text="good , not bad at all", label="positive"),
    Example(text="a bad film", label="negative"),
]
SENTENCES = [
    Example(
        tokens=("Ann", "Lee", "lives", "in", "Rome"), tags=("B-PER", "I-PER", "O", "O", "B-LOC")
    ),
    Example(tokens=("New", "York"), tags=("B-LOC", "I-LOC")),
]
TEXT = "Ann Lee lives in New Rome"

TOPICS = [
    Example(text="good film", labels=("praise", "film")),
    Example(text="a bad song", labels=("music",)),
]

MODELS: dict[str, tuple[str, str, list[Example], dict[str, Any]]] = {
    "classifier": ("classification", "labelled", REVIEWS, {"pooling": "max"}),
    "label sets": ("classification", "labelled", TOPICS, {}),
    "averaged": ("classification", "labelled", REVIEWS, {"kind": "averaged", "pairs": 50}),
    "softmax": ("tagging", "tagged", SENTENCES, {"characters": {"kind": "cnn"}}),
    "crf": ("tagging", "tagged", SENTENCES, {"output": "crf", "tag_scheme": "BIOES"}),
    "intents": ("intents_and_slots", "joint", REQUESTS, {"output": "crf"}),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    keras.utils.set_random_seed(3)
    return {
        name: write_untrained(folder / name, task, kind, examples, model)  # type: ignore[arg-type]
        for name, (task, kind, examples, model) in MODELS.items()
    }


def found(folder: Path, place: int = 1) -> tuple[Attribution, float, Any]:
    """The attribution for a label, its probability as predicted, and what computed it."""
    bundle = Bundle.open(folder)
    predictor: Any = Predictor.of(bundle)
    prediction = next(predictor.predict([TEXT]))
    _, encoded = predictor.read(TEXT)
    explaining_first = explaining(bundle)[0]
    if "labels" in prediction:
        label = max(prediction["probabilities"])
        probability = prediction["probabilities"][label]
    elif "label" in prediction:
        label, probability = prediction["label"], prediction["probability"]
    else:
        label, probability = prediction["tags"][place], prediction["probabilities"][place]
    explainer, index = explaining_first._explainer, explaining_first.head.labels.index(label)
    attribution = explainer.attribution(encoded, index, place)
    return attribution, probability, (explainer, encoded, index)


@pytest.mark.slow
@pytest.mark.parametrize("name", grid(MODELS, "label sets", "averaged", "softmax", "intents"))
def test_attributions_sum_to_the_difference_from_a_text_without_information(
    models: dict[str, Path], name: str
) -> None:
    attribution, probability, (explainer, encoded, label) = found(models[name])
    assert np.exp(attribution.log_probability) == pytest.approx(probability, rel=1e-4)
    ids, vectors = explainer._represented(encoded)
    log_p = explainer._log_probability(ids, label, 1)
    empty = float(log_p(keras.ops.zeros((1, *vectors.shape)))[0])
    difference = attribution.log_probability - empty
    assert attribution.integrated_gradients.sum() == pytest.approx(
        difference, abs=0.011 * abs(difference) + 1e-6
    )
    assert attribution.missing == pytest.approx(
        attribution.integrated_gradients.sum() - difference, abs=1e-5
    )


@pytest.mark.slow
def test_occlusion_is_the_fall_without_one_vector(models: dict[str, Path]) -> None:
    attribution, _, (explainer, encoded, label) = found(models["classifier"])
    ids, vectors = explainer._represented(encoded)
    log_p = explainer._log_probability(ids, label, 0)
    for place in range(len(encoded.ids)):
        without = vectors.copy()
        without[place] = 0
        fall = attribution.log_probability - float(log_p(without[None])[0])
        assert attribution.occlusion[place] == pytest.approx(fall, abs=1e-5)


def test_integrated_gradients_are_those_of_the_paper() -> None:
    """For ``F(x) = (sum x)^2`` the integral is ``x_i sum x``, and the midpoint rule is exact."""
    vectors = np.array([[1.0, -2.0], [0.5, 3.0]], "float32")
    integrated = integrated_gradients(
        lambda rows: keras.ops.square(keras.ops.sum(rows, axis=(1, 2))), vectors, 4
    )
    np.testing.assert_allclose(integrated, vectors.sum(axis=1) * vectors.sum(), rtol=1e-5)


@pytest.mark.slow
def test_deleted_tokens_are_not_read(models: dict[str, Path]) -> None:
    """The fall is the difference of two predictions, of the text and of the text without."""
    bundle = Bundle.open(models["classifier"])
    predictor: Any = Predictor.of(bundle)
    explainer: Explainer = explaining(bundle)[0]._explainer
    text, shorter = "good , not bad at all", "good , at all"
    label = bundle.labels.index("positive")
    _, encoded = predictor.read(text)
    [fall] = explainer.fall(encoded, label, [np.array([2, 3])])
    long, short = (p["probabilities"]["positive"] for p in predictor.predict([text, shorter]))
    assert fall == pytest.approx(long - short, abs=1e-5)


def run(model: Path, folder: Path, texts: str, options: Sequence[str] = ()) -> int:
    (folder / "texts.txt").write_text(texts)
    return main(["explain", str(model), str(folder / "texts.txt"), str(folder / "why"), *options])


@pytest.mark.slow
def test_every_format_shows_the_words_of_the_text(models: dict[str, Path], tmp_path: Path) -> None:
    texts = "good , <b>not</b> bad 🎬\n\na bad film\n"
    assert run(models["classifier"], tmp_path, texts, ["--label", "negative"]) == 0
    records = [json.loads(line) for line in (tmp_path / "why" / RECORDS).read_text().splitlines()]
    assert [record["label"] for record in records] == ["negative", "negative"]
    for record in records:
        parts = zip(record["tokens"], record["start"], record["end"], strict=True)
        assert all(record["text"][start:end] == token for token, start, end in parts)
        assert len(record["occlusion"]) == len(record["integrated_gradients"]) == len(record["end"])
    page = (tmp_path / "why" / PAGE).read_text()
    assert "&lt;" in page
    assert "<b>" not in page
    assert (tmp_path / "why" / PICTURE).stat().st_size > 1000


@pytest.mark.slow
def test_the_words_that_begin_an_entity_are_explained(
    models: dict[str, Path], tmp_path: Path
) -> None:
    predicted = next(Predictor.load(models["softmax"]).predict([TEXT]))
    starts = [first + 1 for _, first, _ in entity_spans(predicted["tags"])]
    assert len(starts) == len(predicted["entities"])  # also those that begin with I-
    status = run(models["softmax"], tmp_path, TEXT + "\n")
    if not starts:
        assert status == 2
        return
    records = [json.loads(line) for line in (tmp_path / "why" / RECORDS).read_text().splitlines()]
    assert [record["token"] for record in records] == starts


@pytest.mark.slow
def test_the_label_and_the_tags_of_a_request_are_explained(
    models: dict[str, Path], tmp_path: Path
) -> None:
    bundle = Bundle.open(models["intents"])
    bundle.figures["intent_temperature"] = 0.5  # which tags do not share
    predicted = next(Predictor.of(bundle).predict([TEXT]))
    of_text, of_tags = explaining(bundle)
    [label] = of_text.of_text(TEXT)
    assert (label.label, label.place) == (predicted["label"], None)
    assert label.probability == pytest.approx(predicted["probability"], rel=1e-4)
    for tag in of_tags.of_text(TEXT):
        assert tag.place is not None
        assert tag.label == predicted["tags"][tag.place]
        assert tag.probability == pytest.approx(predicted["tag_probabilities"][tag.place], rel=1e-4)
    [fall, *_] = of_text.faithfulness([label, *of_tags.of_text(TEXT)])
    assert fall["texts"] == 1  # tags have none
    assert run(models["intents"], tmp_path, TEXT + "\n", ["--label", "B-PER"]) == 0
    records = [json.loads(line) for line in (tmp_path / "why" / RECORDS).read_text().splitlines()]
    assert {record["label"] for record in records} == {"B-PER"}
    assert run(models["intents"], tmp_path, TEXT + "\n", ["--label", "trip"]) == 0
    [record] = map(json.loads, (tmp_path / "why" / RECORDS).read_text().splitlines())
    assert record["label"] == "trip"
    assert "token" not in record


@pytest.mark.slow
@pytest.mark.parametrize("output", grid(["softmax", "crf"], "softmax"))
def test_each_predicate_and_each_of_its_arguments_is_explained(tmp_path: Path, output: str) -> None:
    keras.utils.set_random_seed(3)
    model = {"output": output}
    folder = write_untrained(
        tmp_path / "roles", "semantic_roles", "roles", PROPOSITIONS, model, scale=1.0
    )
    bundle = Bundle.open(folder)
    texts = [" ".join(words) for words in itertools.product(WORDS, repeat=4)]
    predictions = zip(texts, Predictor.of(bundle).predict(texts), strict=True)
    text, predicted = next(
        (text, each["predicates"])
        for text, each in predictions
        if any(predicate["arguments"] for predicate in each["predicates"])
    )
    [roles] = explaining(bundle)
    explained = list(roles.of_text(text))
    of_predicates = [each for each in explained if each.predicate is None]
    assert [each.label for each in of_predicates] == ["B-V"] * len(predicted)
    for each, predicate in zip(of_predicates, predicted, strict=True):
        assert each.spans[each.place][1:] == (predicate["start"], predicate["end"])  # type: ignore[index]
        assert each.probability == pytest.approx(predicate["probability"], rel=1e-4)
    starts = {place: start for place, (_, start, _) in enumerate(explained[0].spans)}
    assert [
        (starts[each.predicate], each.label[2:], starts[each.place])  # type: ignore[index]
        for each in explained
        if each.predicate is not None
    ] == [
        (predicate["start"], argument["role"], argument["start"])
        for predicate in predicted
        for argument in predicate["arguments"]
    ]
    assert len({each.attribution.log_probability for each in explained}) == len(explained)
    assert all(abs(each.attribution.missing) < 0.1 for each in explained)
    assert run(folder, tmp_path, text + "\n") == 0
    records = [json.loads(line) for line in (tmp_path / "why" / RECORDS).read_text().splitlines()]
    assert [record.get("predicate") for record in records] == [
        None if each.predicate is None else each.predicate + 1 for each in explained
    ]
    assert "for the predicate" in (tmp_path / "why" / PAGE).read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "texts", "options", "fault"),
    [
        ("classifier", "a\n", ["--label", "positiv"], "did you mean 'positive'?"),
        ("classifier", "\n\n", [], "holds no text"),
        ("sequence_to_sequence", "a\n", [], "nlp-rnn inspect shows where it looks"),
        ("language_modelling", "a\n", [], "nlp-rnn inspect --saliency explains its"),
    ],
)
def test_mistakes_are_one_line(
    models: dict[str, Path],
    bundles: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    model: str,
    texts: str,
    options: list[str],
    fault: str,
) -> None:
    assert run((models | bundles)[model], tmp_path, texts, options) == 2
    assert fault in capsys.readouterr().err
    assert not (tmp_path / "why").exists()

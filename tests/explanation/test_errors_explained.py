"""The worst errors, whose words are worth what predictions without them say."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import REQUESTS

import nlp_rnn
from helpers.corpora import ListCorpus, prepared
from nlp_rnn.example import Example
from nlp_rnn.explanation import errors
from nlp_rnn.explanation.errors import explained_errors
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.text.prepared import PreparedDataset

TEXTS = ["good film", "at all , not bad", "film"]
SENTENCES = [("Rome",), ("Ann", "Lee", "lives", "in", "Rome"), ("Ann", "York")]


def dataset(folder: Path, kind: Any, bundle: Path) -> PreparedDataset:
    """A data set with a test split of its own."""
    train = PreparedDataset(bundle.parent / "data").split("train").records()
    examples = [
        Example(**{k: tuple(v) if isinstance(v, list) else v for k, v in r.items()}) for r in train
    ]
    test = (
        [Example(text=text, label="positive") for text in TEXTS]
        if kind == "labelled"
        else [Example(tokens=words, tags=("O",) * len(words)) for words in SENTENCES]
    )
    test = [*test, *examples]
    return prepared(folder, ListCorpus(kind, train=examples, validation=examples, test=test))


def explained(bundle: Path, data: PreparedDataset, *found: Any) -> list[dict[str, Any]]:
    opened = Bundle.open(bundle)
    return explained_errors(opened, opened.network(), data, found)


def words(pieces: list[Any]) -> tuple[list[str], list[float]]:
    text, values = zip(*(piece for piece in pieces if piece[1] is not None), strict=True)
    return list(text), list(values)


def test_a_word_is_worth_what_the_text_without_it_loses(
    bundles: dict[str, Path], tmp_path: Path
) -> None:
    model = nlp_rnn.load(bundles["classification"])
    data = dataset(tmp_path, "labelled", bundles["classification"])
    found = explained(
        bundles["classification"],
        data,
        {"target": 2, "predicted": "negative"},  # a word alone cannot be left out
        {"target": 1, "predicted": "negative"},
    )
    (only,) = found
    assert (only["number"], only["place"]) == (1, None)
    assert "".join(text for text, _ in only["pieces"]) == TEXTS[1]
    tokens, values = words(only["pieces"])
    whole, *without = model.predict(
        [TEXTS[1], *(" ".join(tokens[:i] + tokens[i + 1 :]) for i in range(len(tokens)))]
    )
    wanted = [
        math.log(whole["probabilities"]["negative"] / each["probabilities"]["negative"])
        for each in without
    ]
    assert values == pytest.approx(wanted, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["tagging", "crf"])
def test_the_other_words_of_a_sentence_are_worth_something_to_a_tag(
    bundles: dict[str, Path], crf_bundle: Path, tmp_path: Path, task: str
) -> None:
    bundle = crf_bundle if task == "crf" else bundles[task]
    model = nlp_rnn.load(bundle)
    data = dataset(tmp_path, "tagged", bundle)
    place, sentence = 2, list(SENTENCES[1])
    whole = model.predict([sentence])[0]
    label = whole["tags"][place]
    (only,) = explained(bundle, data, {"target": 1 + place, "predicted": label})
    tokens, values = words(only["pieces"])
    assert (tokens, only["place"], values[place]) == (sentence, place, 0)
    for i in {0, 1, 3, 4}:
        shorter = model.predict([sentence[:i] + sentence[i + 1 :]])[0]
        here = place - (i < place)
        if shorter["tags"][here] == label:
            wanted = math.log(whole["probabilities"][place] / shorter["probabilities"][here])
            assert values[i] == pytest.approx(wanted, abs=1e-3)


def test_a_request_has_errors_of_its_label_and_of_its_tags(
    bundles: dict[str, Path], tmp_path: Path
) -> None:
    bundle = bundles["intents_and_slots"]
    model = nlp_rnn.load(bundle)
    examples = [replace(REQUESTS[0], tokens=words, tags=("O",) * len(words)) for words in SENTENCES]
    corpus = ListCorpus("joint", train=REQUESTS, validation=REQUESTS, test=[*examples, *REQUESTS])
    of_label, of_tag = explained(
        bundle,
        prepared(tmp_path, corpus),
        {"target": 1, "predicted": "call", "of_text": True},
        {"target": 1 + 2, "predicted": "O"},
    )
    for found, column in ((of_label, "probabilities"), (of_tag, "tag_probabilities")):
        tokens, values = words(found["pieces"])
        assert tokens == list(SENTENCES[1])
        whole, shorter = model.predict([list(SENTENCES[1]), list(SENTENCES[1][:4])])
        if column == "probabilities":
            before, after = (each[column]["call"] for each in (whole, shorter))
        elif whole["tags"][2] == shorter["tags"][2] == "O":
            before, after = (each[column][2] for each in (whole, shorter))
        else:
            continue
        assert values[4] == pytest.approx(math.log(before / after), abs=1e-3)
    assert (of_label["place"], of_tag["place"]) == (None, 2)


def test_there_are_bounds_and_tasks_without_explanations(
    bundles: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = bundles["classification"]
    data = dataset(tmp_path, "labelled", bundle)
    many = [{"target": 1, "predicted": "negative"}] * 40
    assert len(explained(bundle, data, *many)) == errors.MOST_TEXTS
    monkeypatch.setattr(errors, "MOST_READ", 3 * 25 + 24)  # a text of five words takes 25
    assert len(explained(bundle, data, *many)) == 3
    monkeypatch.setattr(errors, "MOST_SHOWN", 2)
    assert [len(words(each["pieces"])[0]) for each in explained(bundle, data, many[0])] == [2]
    for task in ("semantic_roles", "language_modelling"):
        assert explained(bundles[task], data, *many) == []

"""The Python door: what ``nlp_rnn.load`` returns predicts as the commands do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import nlp_rnn
from nlp_rnn.cli import main
from nlp_rnn.inference.model import Classifier, LanguageModel, Tagger

TEXTS = ["Ann Lee lives in Rome", "", "not bad"]


@pytest.fixture
def models(bundles: dict[str, Path]) -> dict[str, Any]:
    return {task: nlp_rnn.load(folder) for task, folder in bundles.items()}


def test_the_package_offers_few_names_and_imports_nothing_heavy() -> None:
    assert nlp_rnn.__all__ == ["UserError", "__version__", "load"]
    code = (
        "import sys, nlp_rnn; heavy = {'numpy', 'keras', 'pydantic', 'mlflow', 'pandas'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_each_task_has_its_model(models: dict[str, Any], bundles: dict[str, Path]) -> None:
    assert isinstance(models["classification"], Classifier)
    assert isinstance(models["tagging"], Tagger)
    assert isinstance(models["language_modelling"], LanguageModel)
    assert models["classification"].labels == ["negative", "positive"]
    assert repr(models["tagging"]) == "<Tagger 'mine': tagging, 5 labels, 9 types>"
    assert repr(nlp_rnn.load(str(bundles["tagging"]))) == repr(models["tagging"])


@pytest.mark.parametrize("task", ["classification", "tagging", "language_modelling"])
def test_one_text_or_many_are_predicted_as_by_the_command(
    models: dict[str, Any], bundles: dict[str, Path], tmp_path: Path, task: str
) -> None:
    (tmp_path / "in.txt").write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    output = tmp_path / "out.jsonl"
    assert main(["predict", str(bundles[task]), str(tmp_path / "in.txt"), str(output)]) == 0
    written = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    model = models[task]
    together = model.predict(TEXTS)
    assert [{"text": text} | p for text, p in zip(TEXTS, together, strict=True)] == written
    assert model.predict(iter(TEXTS)) == together
    for text, prediction in zip(TEXTS, together, strict=True):
        assert_same(model.predict(text), prediction)
    assert model.predict([]) == []
    assert model.predict([None]) == model.predict([""])


def assert_same(one: Any, other: Any) -> None:
    """Equal, numbers up to rounding: a batch of another size may round otherwise."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list):
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    else:
        assert one == (pytest.approx(other, rel=1e-5) if isinstance(one, float) else other)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (b"bytes", "found bytes"),
        ({"text": "a"}, "found dict"),
        (7, "found int"),
        (["a", 7], "text 1: expected a string, a list of words or None, found int"),
        ([["a", 7]], "text 0: expected a string"),
        (pd.DataFrame({"text": ["a"]}), "found a table; use predict_frame"),
    ],
)
def test_what_is_no_text_is_refused(models: dict[str, Any], texts: Any, words: str) -> None:
    with pytest.raises(nlp_rnn.UserError, match=words):
        models["tagging"].predict(texts)


def test_segmented_words_are_taken_as_they_are(models: dict[str, Any]) -> None:
    (prediction,) = models["tagging"].predict([["New York", "sleeps"]])
    assert prediction["tokens"] == ["New York", "sleeps"]
    assert len(prediction["tags"]) == 2
    assert models["tagging"].predict([np.array(["New York", "sleeps"])]) == [prediction]


def test_options_are_keywords(models: dict[str, Any]) -> None:
    low, high = (models["classification"].predict("good", review_below=p) for p in (1e-9, 1.0))
    assert low["review"] is False
    assert high["review"] is True
    assert "review" not in models["classification"].predict("good")
    texts = ["good film"] * 5 + ["bad"] * 3
    assert_same(models["tagging"].predict(texts, batch_size=2), models["tagging"].predict(texts))


@pytest.mark.parametrize(
    ("task", "options", "words"),
    [
        ("classification", {"n_best": 2}, "n_best 2: .* has no CRF"),
        ("tagging", {"n_best": 0}, "n_best: expected a whole number of 1 or more, found 0"),
        ("tagging", {"n_best": True}, "n_best: expected a whole number of 1 or more, found True"),
        ("tagging", {"batch_size": 0}, "batch_size: expected a whole number"),
        ("tagging", {"review_below": "0.5"}, "review_below: expected a number above 0"),
        ("sequence_to_sequence", {"beam": 2.5}, "beam: expected a whole number"),
        ("sequence_to_sequence", {"length_penalty": float("nan")}, "length_penalty: expected"),
        ("sequence_to_sequence", {"allowed": "die"}, "allowed: expected a list of outputs"),
        ("sequence_to_sequence", {"allowed": ["die Kuh"]}, "'die Kuh' has words that no target"),
        ("tagging", {"review_below": 7}, "review_below: expected a number above 0"),
        ("language_modelling", {"review_below": 0.5}, "language model"),
        ("tagging", {"nbest": 2}, "no option 'nbest'; there are n_best, review_below, batch_size"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    models: dict[str, Any], task: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(nlp_rnn.UserError, match=words):
        models[task].predict("a", **options)


def test_tables_keep_their_columns_and_index(models: dict[str, Any]) -> None:
    frame = pd.DataFrame({"n": [1, 2, 3], "text": ["good", None, "bad"]}, index=[7, 7, 9])
    found = models["classification"].predict_frame(frame)
    assert list(found.columns) == ["n", "text", "label", "probability", "probabilities"]
    assert list(found.index) == [7, 7, 9]
    alone = models["classification"].predict(["good", "", "bad"])
    assert list(found["label"]) == [p["label"] for p in alone]
    np.testing.assert_allclose(found["probability"], [p["probability"] for p in alone], rtol=1e-6)
    renamed = frame.rename(columns={"text": "review"})
    again = models["classification"].predict_frame(renamed, text_column="review")
    assert list(again["label"]) == list(found["label"])


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (["words"], "no column 'text'; name the column of texts by text_column, one of: words"),
        (["text", "label"], "has a column 'label' already"),
        (["text", "text"], "has 2 columns 'text'; rename or remove one"),
        (pd.MultiIndex.from_tuples([("text", "a")]), "columns of several levels"),
    ],
)
def test_tables_that_do_not_fit_are_refused(
    models: dict[str, Any], columns: Any, words: str
) -> None:
    with pytest.raises(nlp_rnn.UserError, match=words):
        models["classification"].predict_frame(
            pd.DataFrame([["a"] * len(columns)], columns=columns)
        )


def test_a_language_model_scores_ranks_and_writes(models: dict[str, Any]) -> None:
    model = models["language_modelling"]
    scores = model.score("the cat")
    assert len(scores["tokens"]) == 3
    total = sum(scores["log_probabilities"])
    assert model.predict("the cat")["log_probability"] == pytest.approx(total, rel=1e-5)
    ranked = model.rank(["the cat", "", "zebra the"])
    assert [row["rank"] for row in ranked] == [1, 2, 3]
    assert ranked[-1]["text"] == ""
    assert ranked[0]["log_probability"] >= ranked[1]["log_probability"]
    text = model.generate("the", length=5, seed=1)
    assert text.startswith("the ") and text == model.generate("the", length=5, seed=1)
    found = model.search("the", beam=4, n_best=2, length=3)
    assert len(found) == 2
    assert found[0]["score"] >= found[1]["score"]


def test_what_cannot_be_ranked_or_found_is_refused(models: dict[str, Any]) -> None:
    model = models["language_modelling"]
    with pytest.raises(nlp_rnn.UserError, match="give a list"):
        model.rank("the cat")
    with pytest.raises(nlp_rnn.UserError, match="n_best 5: expected 1 to 2"):
        model.search(beam=2, n_best=5)
    with pytest.raises(nlp_rnn.UserError, match="by: expected total or mean, found 'best'"):
        model.rank(["a", "b"], by="best")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"temperature": -1}, "temperature: expected 0 or more, found -1"),
        ({"temperature": float("nan")}, "temperature: expected"),
        ({"length": 0}, "length: expected a whole number of 1 or more, found 0"),
        ({"length": 2.5}, "length: expected a whole number"),
        ({"top_k": 0}, "top_k: expected a whole number"),
        ({"top_p": 1.5}, "top_p: expected a number above 0, at most 1"),
        ({"seed": -1}, "seed: expected a whole number of 0 or more"),
        ({"prompt": None}, "prompt: expected a string, found NoneType"),
    ],
)
def test_numbers_that_generate_nothing_are_refused(
    models: dict[str, Any], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(nlp_rnn.UserError, match=words):
        models["language_modelling"].generate(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"beam": 0}, "beam: expected a whole number of 1 or more"),
        ({"length": -1}, "length: expected a whole number"),
        ({"length_penalty": -1}, "length_penalty: expected a number of 0 or more"),
    ],
)
def test_numbers_that_find_nothing_are_refused(
    models: dict[str, Any], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(nlp_rnn.UserError, match=words):
        models["language_modelling"].search(**options)


def test_a_model_that_is_not_there_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(nlp_rnn.UserError, match="no such model folder"):
        nlp_rnn.load(tmp_path / "nowhere")
